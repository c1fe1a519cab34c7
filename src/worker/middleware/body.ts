import type { IncomingMessage } from 'node:http';
import { Failure } from '../../platform/errors.ts';

/** How much of an unread body is discarded, and for how long, before an answer that ends the connection. */
const DISCARD_MAX_BYTES = 8 * 1024 * 1024;
const DISCARD_TIMEOUT_MS = 2000;

export interface ReadBodyOptions {
  readonly limitBytes: number;
  /** How long the body may take to arrive; when left out, only the server's own timeout applies. */
  readonly timeoutMs?: number;
}

/**
 * Reads a whole body. Bytes beyond the limit are discarded as they arrive. The connection stays open meanwhile, so that
 * a client that is still sending gets an answer, not a reset.
 *
 * @throws Failure too_large (by Content-Length before a byte is read, otherwise by counting), request_timeout, or
 *   malformed_request when the body ends before it is complete
 */
export async function readBody(req: IncomingMessage, options: ReadBodyOptions): Promise<Buffer> {
  const { limitBytes, timeoutMs } = options;
  if (Number(req.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  if (req.destroyed) throw cutOff();

  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const onData = (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) reject(tooLarge(limitBytes));
    else chunks.push(chunk);
  };
  const onEnd = () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, sizeBytes));
  // 'close' also follows every 'end'. The check avoids making an error, with its stack, for nothing.
  const onClose = () => {
    if (!req.readableEnded) reject(cutOff());
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => reject(tooSlow(timeoutMs)), timeoutMs);

  req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    // A request that has ended calls no listener again.
    if (!req.readableEnded) {
      // The 'error' listener stays: an abort after a refusal must not become an uncaught exception.
      req.off('data', onData).off('end', onEnd).off('close', onClose).resume();
    }
  }
}

/**
 * Reads and discards the rest of a body, within bounds. This is needed before an answer that ends the connection: a
 * socket that is closed with unread bytes sends a reset, which can overtake the answer (RFC 9112 9.6). When the
 * connection stays open, Node does the same after the answer.
 *
 * @returns a promise that never rejects
 */
export async function discardBody(req: IncomingMessage): Promise<void> {
  const hasBody =
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
  if (!hasBody || req.complete || req.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  let sizeBytes = 0;
  const onData = (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes > DISCARD_MAX_BYTES) resolve();
  };
  const done = () => resolve();
  const timer = setTimeout(done, DISCARD_TIMEOUT_MS);
  req.on('data', onData).on('end', done).on('close', done).on('error', done);
  await promise;
  clearTimeout(timer);
  req.off('data', onData).off('end', done).off('close', done).resume();
}

/** @throws Failure unsupported_media_type for a body with any Content-Encoding but identity: RFC 9110 8.4, 12.5.3 */
export function refuseEncoded(req: IncomingMessage): void {
  const encoding = req.headers['content-encoding'];
  if (encoding === undefined || encoding.trim().toLowerCase() === 'identity') return;
  throw new Failure('unsupported_media_type', 'The body must be sent without Content-Encoding', {
    headers: { 'Accept-Encoding': 'identity' },
  });
}

function tooLarge(limitBytes: number): Failure {
  return new Failure('too_large', `The body may have at most ${limitBytes} bytes`);
}

function tooSlow(timeoutMs: number): Failure {
  return new Failure('request_timeout', `The body did not arrive within ${timeoutMs} ms`, {
    headers: { Connection: 'close' },
  });
}

function cutOff(): Failure {
  return new Failure('malformed_request', 'The body ended before it was whole');
}
