import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PeerState } from '../../messages/messages.ts';
import { Failure } from '../../platform/errors.ts';
import { http } from '../../platform/node-http.ts';
import { isSignedBy, Nonces, sign } from './signature.ts';

/** The client sends its question right after it gets the nonce. */
const NONCE_LIFETIME_MS = 5000;
const BODY_MAX_BYTES = 1024;
const TIMEOUT_MS = 3000;
const CONNECTIONS_MAX = 16;
const KINDS: ReadonlyMap<string, PeerQuestion['kind']> = new Map([
  ['/vow', 'vow'],
  ['/about', 'about'],
]);

/** A question of the peer. `vow`: not to challenge its session; `about`: what state this system is in. */
export interface PeerQuestion {
  readonly kind: 'vow' | 'about';
  /** Issued by the listener, for this question alone. */
  readonly nonce: string;
  /** Chosen by the client; the answer repeats it, so it cannot be one to another question. */
  readonly ask: string;
  /** With `vow`. */
  readonly session?: string | undefined;
}

/** The purpose that the answer to each kind of question is signed with. */
export const ANSWER_PURPOSES = { vow: 'promise', about: 'said' } as const;

export interface PeerListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** @returns whether this system promises not to challenge that session */
  readonly vow: (session: string) => boolean;
  readonly about: () => PeerState;
  readonly now: () => number;
}

/**
 * Answers the other system: its request for a vow while the store does not answer it, and its regular question about
 * this system's state. A question without the secret gets no answer. The secret is never sent: a question is signed
 * with a nonce of this listener, and an answer with one of the client.
 */
export class PeerListener {
  readonly #options: PeerListenerOptions;
  readonly #nonces: Nonces;
  readonly #server: Server;

  constructor(options: PeerListenerOptions) {
    this.#options = options;
    this.#nonces = new Nonces(NONCE_LIFETIME_MS, options.now);
    this.#server = http().createServer((request, response) => void this.#handle(request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.requestTimeout = TIMEOUT_MS;
    this.#server.headersTimeout = TIMEOUT_MS;
    this.#server.keepAliveTimeout = TIMEOUT_MS;
  }

  /** Resolves with the port. @throws Failure address_unavailable */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) =>
        reject(
          new Failure(
            'address_unavailable',
            `Cannot listen on ${host}:${port}: ${cause.message}. Set PEER_LISTEN.`,
            { cause },
          ),
        ),
      );
      this.#server.listen(port, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request).catch(() => undefined);
    if (request.method !== 'POST' || text === undefined) return answer(response, 400, '');
    if (request.url === '/nonce') return answer(response, 200, this.#nonces.issue());
    const kind = KINDS.get(request.url ?? '');
    if (kind === undefined) return answer(response, 404, '');
    const { secret } = this.#options;
    const question = isSignedBy(secret, kind, text, request.headers['x-signature'])
      ? parse(kind, text)
      : undefined;
    if (!question || !this.#nonces.use(question.nonce)) return answer(response, 403, '');
    const said = JSON.stringify({ ask: question.ask, ...this.#answer(question) });
    response.setHeader('x-signature', sign(secret, ANSWER_PURPOSES[kind], said));
    answer(response, 200, said);
  }

  #answer({ kind, session }: PeerQuestion): object {
    const { vow, about } = this.#options;
    if (kind === 'about') return { about: about() };
    return { isPromised: session !== undefined && vow(session) };
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(text);
}

/** @throws Error when the body is longer than any question */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > BODY_MAX_BYTES) throw new Error('too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(kind: PeerQuestion['kind'], text: string): PeerQuestion | undefined {
  try {
    const { nonce, ask, session } = JSON.parse(text);
    const parts = kind === 'vow' ? [nonce, ask, session] : [nonce, ask];
    return parts.every((part) => typeof part === 'string') ? { kind, nonce, ask, session } : undefined;
  } catch {
    return undefined;
  }
}
