import type { IncomingMessage } from 'node:http';
import { Failure } from '../../platform/errors.ts';

/** RFC 9110 7.2: `uri-host [ ":" port ]`, which may be empty (RFC 3986 3.2.2). */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;
const HOST_LENGTH = 'host'.length;
const CLOSE = { headers: { Connection: 'close' } };

/**
 * Refuses wrong heads that Node's parser accepts, and those that Node's server would answer without a problem document.
 *
 * @throws Failure malformed_request for a version other than HTTP/1 (RFC 9110 2.5), no Host, two, or one that is no
 *   host (RFC 9112 3.2), and for a Transfer-Encoding other than chunked, or any of HTTP/1.0 (RFC 9112 6.1);
 *   expectation_failed for an Expect other than 100-continue (RFC 9110 10.1.1)
 */
export function checkHead(req: IncomingMessage): void {
  const { headers, httpVersionMajor, httpVersionMinor } = req;
  if (httpVersionMajor !== 1) throw malformed('The version must be HTTP/1.1 or HTTP/1.0');
  const hosts = countHosts(req.rawHeaders);
  if (hosts > 1) throw malformed('There must be one Host header');
  if (hosts === 0 && httpVersionMinor > 0) throw malformed('The Host header is missing');
  if (headers.host !== undefined && !HOST.test(headers.host)) throw malformed('The Host header is no host');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && (httpVersionMinor === 0 || coding.toLowerCase() !== 'chunked')) {
    throw malformed('The Transfer-Encoding must be chunked, of HTTP/1.1');
  }
  if (
    headers.expect !== undefined &&
    httpVersionMinor > 0 &&
    headers.expect.toLowerCase() !== '100-continue'
  ) {
    throw new Failure('expectation_failed', 'The Expect header must be 100-continue', CLOSE);
  }
}

/** @returns whether an Expect header is `100-continue` */
export function isContinue(expect: string | undefined): boolean {
  return expect?.toLowerCase() === '100-continue';
}

/** Counted in the raw headers, because in `headers` Node keeps only the first Host. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === HOST_LENGTH && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

/** The failure closes the connection: it is in doubt where this request ends and the next one begins. */
function malformed(message: string): Failure {
  return new Failure('malformed_request', message, CLOSE);
}
