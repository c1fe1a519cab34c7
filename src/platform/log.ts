import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import { LineBatch, STANDARD_OUTPUT } from './line-batch.ts';

export type { Logger };

/**
 * @param role who speaks: primary, worker, writer, …
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
    // The one member that pino makes anew for each line, of its children too.
    timestamp: stamp,
    formatters: { level: (label) => ({ level: label }) },
  };
  const rename = (next: string) => {
    speaker = speakerOf(next);
  };
  if (format === 'text') {
    // Loaded only for a person: in every other process it would be so much time and memory for nothing.
    const pretty = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
    // Not its stream: that writes at once, and a terminal that is stopped (Ctrl-S) would stop the event loop.
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

/** Who speaks from now on: one that has waited has the name of its place. */
export function renameSpeaker(log: Logger, role: string): void {
  renamers.get(log)?.(role);
}

function speakerOf(role: string): string {
  return `,"role":${JSON.stringify(role)},"pid":${process.pid}`;
}

/** Writes a line of the level info. @param members of it, as JSON without its brackets, a comma before each */
export type WriteMembers = (members: string) => void;

const writers = new WeakMap<Logger, WriteMembers>();

/**
 * @returns what writes lines that have one shape past pino, which would look at each member anew; undefined where such lines
 *   are for a person, or not wanted at all
 */
export function membersWriterOf(log: Logger): WriteMembers | undefined {
  return writers.get(log);
}

const MS_PER_S = 1000;
let lastMs = 0;
let lastTime = '';
let lastSecond = -1;
/** Up to the point behind the seconds. */
let ofSecond = '';

/** As pino's own, but made once a millisecond instead of once a line, and its seconds once a second. */
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
