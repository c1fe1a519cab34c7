import { randomBytes } from 'node:crypto';
import type { Peer, PeerState } from '../../messages/messages.ts';
import { ANSWER_PURPOSES, type PeerQuestion } from './peer-listener.ts';
import { isSignedBy, sign } from './signature.ts';

const ASK_BYTES = 16;
const LEADING: ReadonlySet<PeerState['state']> = new Set(['uploading', 'leader']);
const WRONG_SECRET = 'PEER_SECRET is not the same on both';

export interface PeerOptions {
  /** PEER_URL. */
  readonly url: string;
  readonly secret: string;
  readonly timeoutMs: number;
  readonly now: () => number;
}

/** The system that asks. A true peer of it has another name, and the same replica. */
export interface Asker extends Required<Pick<PeerState, 'name' | 'replica'>> {
  /** The name of the leader in its store; undefined where that is not known, or may be out of date. */
  readonly leader?: string | undefined;
}

interface Answer {
  readonly said: Readonly<Record<string, unknown>>;
  readonly sentAtMs: number;
}

/**
 * Asks the other system not to challenge a session.
 *
 * @returns when the question was sent, if the other system promised; undefined if it did not, or cannot be asked
 */
export async function askForVow(session: string, options: PeerOptions): Promise<number | undefined> {
  try {
    const { said, sentAtMs } = await ask('vow', { session }, options);
    return said.isPromised === true ? sentAtMs : undefined;
  } catch {
    // A system that cannot be asked has promised nothing.
    return undefined;
  }
}

/**
 * Asks the other system about its state.
 * @throws Error whose message says why it cannot be asked
 */
export async function askAbout(options: PeerOptions): Promise<PeerState> {
  const { said } = await ask('about', {}, options);
  return said.about as PeerState;
}

/** @returns what the other system says of itself; or why it cannot be asked, or cannot be this system's peer */
export async function lookAtPeer(options: PeerOptions, asker: Asker): Promise<Peer> {
  try {
    const said = await askAbout(options);
    const problem = mismatchOf(said, asker);
    if (problem !== undefined) return { problem };
    return { said, clockAheadMs: said.clockAtMs - Date.now() };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

function mismatchOf({ name, state, replica }: PeerState, asker: Asker): string | undefined {
  if (name === asker.name)
    return `it is called ${name} as well: NODE_NAME is the same on both, or PEER_URL leads to this system itself`;
  if (replica !== undefined && replica !== asker.replica)
    return `it has another replica, so that each of both leads: REPLICA_URL is ${replica} there, and ${asker.replica} here`;
  // The same URL may name buckets in two stores. Within one store never two systems lead.
  return asker.leader === undefined || asker.leader === name || !LEADING.has(state)
    ? undefined
    : `it leads, and in the store here ${asker.leader} does, so that each of both leads: S3_ENDPOINT or AWS_REGION, or the account, is another one there`;
}

/** @throws Error whose message says why there is no answer that can be trusted */
async function ask(kind: PeerQuestion['kind'], about: object, options: PeerOptions): Promise<Answer> {
  const { url, secret, timeoutMs, now } = options;
  const signal = AbortSignal.timeout(timeoutMs);
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    fetch(new URL(path, url), { method: 'POST', body, headers, signal, redirect: 'error' }).catch((error) => {
      throw new Error(`it cannot be reached: ${reasonOf(error, timeoutMs)}`);
    });
  const issued = await post('/nonce', '');
  if (!issued.ok)
    throw new Error(`${url} is not PEER_LISTEN of the other system: it answers ${issued.status}`);
  const id = randomBytes(ASK_BYTES).toString('base64url');
  const question = JSON.stringify({ ...about, nonce: await issued.text(), ask: id });
  const sentAtMs = now();
  const answer = await post(`/${kind}`, question, { 'x-signature': sign(secret, kind, question) });
  if (answer.status === 403) throw new Error(WRONG_SECRET);
  if (!answer.ok) throw new Error(`it does not know what it was asked: it answers ${answer.status}`);
  const signature = answer.headers.get('x-signature');
  // A web server may answer any question with a page.
  if (signature === null) throw new Error(`${url} is not PEER_LISTEN of the other system: it signs nothing`);
  const text = await answer.text();
  if (!isSignedBy(secret, ANSWER_PURPOSES[kind], text, signature)) throw new Error(WRONG_SECRET);
  const said = JSON.parse(text) as Answer['said'];
  if (said.ask !== id) throw new Error('its answer is to another question');
  return { said, sentAtMs };
}

function reasonOf(error: Error, timeoutMs: number): string {
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  return code ?? message;
}
