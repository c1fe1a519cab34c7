import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { createLog, type Logger } from '../log.ts';
import { Meter } from '../metrics/meter.ts';
import { isDamage } from '../sqlite/damage.ts';
import { keepCompiledCode } from './compiled-code.ts';
import type { ToChild, ToPrimary } from './messages.ts';
import { meterSelf } from './self-meter.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

/** How often a child shows that its event loop turns, with its memory. */
const BEAT_INTERVAL_MS = 500;
/** The environment variable that carries a child's context. It holds no secret. */
export const CONTEXT_VARIABLE = 'NINELIVES_CHILD';

/** What the primary gives a child at spec. */
export interface ChildContext {
  readonly role: string;
  /** The module that the role is; it exports `run(runtime)`. */
  readonly entryPath: string;
  readonly config: Config;
  /** Load the code, and wait for `begin`, which brings the input: it is not this child's turn yet. */
  readonly isHeld: boolean;
  /** What this role alone needs; JSON. */
  readonly input?: unknown;
}

/** A child before its role has begun. */
export interface StartedRuntime {
  readonly entryPath: string;
  /** Resolves when it is this child's turn. */
  readonly runtime: Promise<Runtime>;
  /** As the runtime's. */
  fail(error: Error): void;
}

/** What a child process has: its log, its heartbeat, its way to the primary. */
export interface Runtime extends Pick<ChildContext, 'role' | 'config' | 'input'> {
  readonly log: Logger;
  /** Told with each beat. */
  readonly meter: Meter;
  send(message: ToPrimary): void;
  /** @param listener gets the primary's messages, with the handle that came beside one */
  onMessage(listener: (message: ToChild, handle: unknown) => void): void;
  /** Counts one request served, for the limit on a worker's life. */
  countServed(): void;
  /**
   * Starts the watchdog's thread, which ends this process with its primary, also while its event loop is blocked. For who
   * blocks it for long before it is ready; the others have it from then on, since it takes as long to start as their code.
   */
  watch(): void;
  /** From now on the watchdog ends this process when its event loop blocks for HANG_TIMEOUT_MS. */
  ready(): void;
  /** Ends this process, saying why: an unknown state is not repaired, the process is replaced. */
  fail(error: Error): void;
}

/** Starts everything that each child process has: its log, its heartbeat, and an end that says why; the watchdog later. */
export function startRuntime(): StartedRuntime {
  const context = JSON.parse(process.env[CONTEXT_VARIABLE] ?? '') as ChildContext;
  const { role, entryPath, config, isHeld } = context;
  process.title = `ninelives ${role}`;
  const log = createLog(role, config.LOG_LEVEL, config.LOG_FORMAT);
  const send = (message: ToPrimary) => {
    // The channel closes when the primary dies; this process is then about to end too.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
    if (message.kind === 'standby' || message.kind === 'ready') keepCompiledCode();
    // One that is given a place later shall not start it then.
    if (message.kind === 'standby') setImmediate(watch);
  };
  const fail = (error: Error) => end(error, log, send);
  let watchdog: Watchdog | undefined;
  const watch = () => {
    watchdog ??= startWatchdog(config.HANG_TIMEOUT_MS);
    return watchdog;
  };
  // Ctrl-C reaches the whole process group, and so may a supervisor's SIGTERM. Only the primary decides.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
  process.on('uncaughtException', fail);
  const begun = Promise.withResolvers<unknown>();
  if (!isHeld) begun.resolve(context.input);
  process.on('message', (message: ToChild) => {
    if (message.kind === 'begin') begun.resolve(message.input);
  });
  let served = 0;
  const meter = new Meter();
  meterSelf(meter);
  setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage();
    send({ kind: 'beat', rssBytes: rss, heapUsedBytes: heapUsed, served, deltas: meter.take() });
  }, BEAT_INTERVAL_MS).unref();
  const runtimeWith = (input: unknown): Runtime => ({
    role,
    config,
    input,
    log,
    meter,
    send,
    fail,
    onMessage: (listener) => void process.on('message', listener),
    countServed() {
      served += 1;
    },
    watch: () => void watch(),
    ready() {
      send({ kind: 'ready' });
      // Who waits for this process does not wait for the thread.
      setImmediate(() => watch().arm());
    },
  });
  return { entryPath, runtime: begun.promise.then(runtimeWith), fail };
}

function end(error: Error, log: Logger, send: (message: ToPrimary) => void): void {
  const code = error instanceof Failure ? error.code : 'internal';
  if (isDamage(error)) send({ kind: 'damaged', reason: error.message });
  // A failure of a known sort is told by the primary, in its place; of any other its stack is wanted.
  if (code === 'internal') log.fatal({ err: error, code }, error.message);
  send({ kind: 'failed', code, message: described(error) });
  process.exitCode = error instanceof Failure ? error.meaning.exitCode : 70;
  // Lets the message and the log leave; nothing else may run on.
  setImmediate(() => process.exit());
}

/** What is not ours is named with the place that it came from: whoever deploys it has to find it. */
function described(error: Error): string {
  if (error instanceof Failure) return error.message;
  const place = /\bat (.*)|^(\S+:\d+)$/m.exec(error.stack ?? '');
  return `${error}${place ? ` (${place[1] ?? place[2]})` : ''}`;
}
