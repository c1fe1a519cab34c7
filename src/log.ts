import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

/** A pipe takes writes up to this size in one piece, so lines of several processes never mix. */
const PIPE_BUF_BYTES = 4096;

export type { Logger };

/**
 * @param role who speaks: primary, worker, writer, …
 * @param level the lowest level that is written
 * @param format `json` for machines, `text` for a person at a terminal
 * @returns a logger on standard output that never blocks the event loop on a slow reader
 */
export function createLog(role: string, level: string, format: 'json' | 'text'): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: { role, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  if (format === 'text') {
    return pino(
      options,
      pretty({
        sync: true,
        colorize: process.stdout.isTTY === true && !process.env.NO_COLOR,
        ignore: 'pid,role',
        translateTime: 'SYS:HH:MM:ss.l',
        messageFormat: '{role}[{pid}] {msg}',
        singleLine: true,
      }),
    );
  }
  return pino(options, pino.destination({ fd: 1, sync: false, maxWrite: PIPE_BUF_BYTES }));
}
