import type { ChildProcess } from 'node:child_process';
import { type Secrets, shownNever } from '../config/secrets.ts';
import type { Logger } from '../platform/log.ts';
import { LineSplitter } from './line-splitter.ts';
import { type LitestreamLine, parseLogLine } from './log-line.ts';
import { redactor } from './redact.ts';

const LINE_MAX_CHARS = 16_384;

/** Litestream's messages about normal work, at its level info; shown at debug. */
const ROUTINE = new Set([
  'litestream',
  'initialized db',
  'replicating to',
  'serving metrics on',
  'snapshot interval adjusted',
  'control socket listening',
  'starting compaction monitor',
  'starting L0 retention monitor',
  'compaction complete',
  'snapshot complete',
  'l0 retention enforced',
  'ltx files deleted before',
  'write wal segment',
  'wal segment written',
  'write snapshot',
  'snapshot deleted',
  'wal segmented deleted before',
  'signal received, litestream shutting down',
  'litestream shut down',
]);

/** The same problem is logged again only after this long: Litestream retries several times a second. */
const REPEAT_INTERVAL_MS = 60_000;
const TROUBLES_MAX = 100;

/** Messages that Litestream logs as errors, and then retries by itself; shown as warnings. */
const RETRIED = new Set([
  'monitor error',
  'sync error',
  'snapshotter error',
  'retainer error',
  'validation error',
]);

export interface LogRelayOptions {
  readonly log: Logger;
  /** Values that must never be logged. */
  readonly secrets: Secrets;
  /** How many databases Litestream is configured with. */
  readonly databases: number;
  /** Called once, when Litestream has initialized all its databases. */
  readonly onReady?: () => void;
  /** Gets every line, at Litestream's own level. */
  readonly onLine?: (line: LitestreamLine) => void;
}

/**
 * Copies the log of one Litestream process into ours. Nothing that the process prints makes this throw.
 *
 * States and who moves them: waiting → ready (the last database's `initialized db`).
 */
export class LogRelay {
  readonly #options: LogRelayOptions;
  readonly #redact: (text: string) => string;
  /** The longest spelling of a secret: so much is removed from the end of a cut line, which may hold half of one. */
  readonly #secretMaxChars: number;
  #initialized = 0;
  readonly #toldMs = new Map<string, number>();

  constructor(options: LogRelayOptions) {
    this.#options = options;
    const secrets = shownNever(options.secrets);
    this.#redact = redactor(secrets);
    // JSON spells a character with up to six characters, a URL with up to nine.
    this.#secretMaxChars = 9 * Math.max(0, ...secrets.map((secret) => secret.length));
  }

  /** Reads both outputs of the process until they end. */
  attach(child: Pick<ChildProcess, 'stdout' | 'stderr'>): void {
    for (const [stream, plainLevel] of [
      [child.stdout, 'info'],
      [child.stderr, 'warn'],
    ] as const) {
      if (!stream) continue;
      const splitter = new LineSplitter(LINE_MAX_CHARS, (line) => this.#relay(line, plainLevel));
      stream.on('data', (chunk: Buffer | string) => splitter.push(Buffer.from(chunk)));
      stream.on('end', () => splitter.end());
      stream.on('error', (error) => this.#options.log.debug({ err: error }, 'litestream output closed'));
    }
  }

  #relay(text: string, plainLevel: 'info' | 'warn'): void {
    const { log, onLine } = this.#options;
    const isCut = text.length === LINE_MAX_CHARS;
    const bounded = isCut ? this.#redact(text).slice(0, -this.#secretMaxChars || undefined) : text;
    const line = parseLogLine(bounded, this.#redact, plainLevel);
    const { message, fields } = line.shown;
    const detail = Object.keys(fields).length > 0 ? { litestream: fields } : {};
    log[this.#levelOf(line)](detail, `litestream: ${message}${reason(line.shown)}`);
    this.#countInitialized(line);
    try {
      onLine?.(line);
    } catch (error) {
      log.error({ err: error }, 'a listener to the litestream log failed');
    }
  }

  #levelOf(line: LitestreamLine): LitestreamLine['level'] {
    const level = shownLevel(line);
    if (level !== 'warn' || !RETRIED.has(line.message)) return level;
    // The same problem differs only in the numbers of its objects.
    const trouble = `${line.message}${reason(line)}`.replaceAll(/[0-9a-f]{8,}|\d+/g, '#');
    const nowMs = performance.now();
    const told = this.#toldMs.get(trouble);
    if (told !== undefined && nowMs - told < REPEAT_INTERVAL_MS) return 'debug';
    if (this.#toldMs.size >= TROUBLES_MAX) this.#toldMs.clear();
    this.#toldMs.set(trouble, nowMs);
    return level;
  }

  #countInitialized({ message }: LitestreamLine): void {
    if (!message.startsWith('initialized db')) return;
    this.#initialized += 1;
    if (this.#initialized === this.#options.databases) this.#options.onReady?.();
  }
}

function shownLevel({ level, message, fields }: LitestreamLine): LitestreamLine['level'] {
  if (level === 'info' && ROUTINE.has(message)) return 'debug';
  if (level !== 'error' || !RETRIED.has(message)) return level;
  // Normal at each start, until there is a first commit.
  const { error } = fields;
  return typeof error === 'string' && error.startsWith('no generation') ? 'debug' : 'warn';
}

function reason({ fields }: LitestreamLine['shown']): string {
  const text = fields.error ?? fields.reason;
  return typeof text === 'string' ? `: ${text.replaceAll(/\s+/g, ' ')}` : '';
}
