import type { Logger } from '../platform/log.ts';

/** Error codes of a socket whose client has gone. */
const CLIENT_GONE: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** Logs errors that come too late for the pipeline, such as a broken body stream. Otherwise Koa would print them. */
export function logLateError(log: Logger, err: NodeJS.ErrnoException): void {
  // A client that went away is no error, and the line of its request records it.
  if (CLIENT_GONE.has(err.code ?? '')) log.debug({ err }, 'connection lost');
  else log.error({ err }, 'response failed');
}
