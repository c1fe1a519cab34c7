import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import { LineBatch, STANDARD_OUTPUT } from './line-batch.ts';

export type { Logger };

/**
 * @param role the role of this process: primary, worker, writer, …
 * @param level the lowest level that is written
 * @param format `json` for machines, `text` for a person at a terminal
 * @returns a logger on standard output that never blocks the event loop on a slow reader
 */
export function createLog(role: string, level: string, format: 'json' | 'text'): Logger {
  let speaker = speakerOf(role);
  const stamp = () => `${isoTime()}${speaker}`;
  const options: pino.LoggerOptions = {
    level,
    base: null,
    // The only member that pino computes for each line, for child loggers too. So it carries role and pid as well.
    timestamp: stamp,
    formatters: { level: (label) => ({ level: label }) },
  };
  const rename = (next: string) => {
    speaker = speakerOf(next);
  };
  if (format === 'text') {
    // Loaded only for a person at a terminal: it costs time and memory.
    const pretty = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
    // pino-pretty's own stream is not used: it writes synchronously, and a stopped terminal (Ctrl-S) would block.
    const textOf = pretty.prettyFactory({
      colorize: isatty(STANDARD_OUTPUT) && !process.env.NO_COLOR,
      ignore: 'pid,role',
      translateTime: 'SYS:HH:MM:ss.l',
      messageFormat: '{role}[{pid}] {msg}',
      singleLine: true,
    });
    const log = pino(options, new LineBatch(textOf));
    renamers.set(log, rename);
    return log;
  }
  const batch = new LineBatch();
  const log = pino(options, batch);
  renamers.set(log, rename);
  if (log.isLevelEnabled('info'))
    writers.set(log, (members) => batch.writeAsIs(`{"level":"info"${stamp()}${members}}\n`));
  return log;
}

const renamers = new WeakMap<Logger, (role: string) => void>();

/** Changes the role in later lines: a process that stood by gets the name of its slot. */
export function renameSpeaker(log: Logger, role: string): void {
  renamers.get(log)?.(role);
}

function speakerOf(role: string): string {
  return `,"role":${JSON.stringify(role)},"pid":${process.pid}`;
}

/** Writes a line of level info. @param members its members as JSON, without brackets, a comma before each member */
export type WriteMembers = (members: string) => void;

const writers = new WeakMap<Logger, WriteMembers>();

/**
 * @returns a function that writes lines of one fixed shape without pino, which would examine each member; undefined
 *   when the log is for a person, or has no lines of level info
 */
export function membersWriterOf(log: Logger): WriteMembers | undefined {
  return writers.get(log);
}

const MS_PER_S = 1000;
let lastMs = 0;
let lastTime = '';
let lastSecond = -1;
/** The text of that second, up to the point after the seconds. */
let ofSecond = '';

/** Does the same as pino's isoTime, but makes the text once in a millisecond, and its seconds once in a second. */
function isoTime(): string {
  const nowMs = Date.now();
  if (nowMs === lastMs) return lastTime;
  lastMs = nowMs;
  const second = Math.floor(nowMs / MS_PER_S);
  if (second !== lastSecond) {
    lastSecond = second;
    ofSecond = new Date(second * MS_PER_S).toISOString().slice(0, -'000Z'.length);
  }
  lastTime = `,"time":"${ofSecond}${String(nowMs - second * MS_PER_S).padStart(3, '0')}Z"`;
  return lastTime;
}
