import { randomBytes } from 'node:crypto';
import type { VowQuestion } from './peer-listener.ts';
import { isSignedBy, sign } from './signature.ts';

const ASK_BYTES = 16;

export interface PeerOptions {
  /** PEER_URL. */
  readonly url: string;
  readonly secret: string;
  readonly timeoutMs: number;
  readonly now: () => number;
}

/**
 * Asks the other system not to challenge a session.
 *
 * @returns when the question was sent that it has promised to; undefined where it does not, or cannot be asked
 */
export async function askForVow(session: string, options: PeerOptions): Promise<number | undefined> {
  const { url, secret, timeoutMs, now } = options;
  const signal = AbortSignal.timeout(timeoutMs);
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(new URL(path, url), { method: 'POST', body, headers, signal, redirect: 'error' });
  try {
    const issued = await post('/nonce', '');
    if (!issued.ok) return undefined;
    const ask = randomBytes(ASK_BYTES).toString('base64url');
    const question = JSON.stringify({ nonce: await issued.text(), ask, session } satisfies VowQuestion);
    const sentAtMs = now();
    const answer = await post('/vow', question, { 'x-signature': sign(secret, 'vow', question) });
    const text = await answer.text();
    if (!answer.ok || !isSignedBy(secret, 'promise', text, answer.headers.get('x-signature')))
      return undefined;
    const said = JSON.parse(text) as { readonly ask?: unknown; readonly isPromised?: unknown };
    return said.ask === ask && said.isPromised === true ? sentAtMs : undefined;
  } catch {
    // It is as one that does not promise.
    return undefined;
  }
}
