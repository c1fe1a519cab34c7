import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { PROBES } from './middleware/probes.ts';

/** Methods that write nothing. `hold` does not wait for them: the live page is a GET that may last for hours. */
const READS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD']);

/**
 * Lets requests wait while the lead is handed over to the other system. Probes never wait.
 *
 * States and who moves them: open → holding (`hold`: new requests wait) → open (`answer`: the waiting requests are
 * answered) or closed (`close`). Closed: the waiting requests, those without a begun answer, and all new ones get their
 * connection closed without an answer, so that their clients learn that nothing is served here any more.
 */
export class RequestGate {
  readonly #app: RequestListener;
  readonly #waiting: ServerResponse<IncomingMessage>[] = [];
  readonly #underWay = new Set<ServerResponse<IncomingMessage>>();
  #state: 'open' | 'holding' | 'closed' = 'open';
  /** Called when no request is under way that may write. */
  #onIdle: (() => void) | undefined;

  /** @param app answers requests */
  constructor(app: RequestListener) {
    this.#app = app;
  }

  /** Takes each request, in place of the app. */
  readonly listener: RequestListener = (req, res) => {
    const isProbe = PROBES.has(req.url?.split('?', 1)[0] ?? '');
    if (isProbe) this.#app(req, res);
    else if (this.#state === 'open') this.#pass(res);
    else if (this.#state === 'holding') this.#waiting.push(res);
    else req.socket.destroy();
  };

  /** Resolves when all earlier requests that may write are answered. Never resolves when `answer` is called before. */
  async hold(): Promise<void> {
    this.#state = 'holding';
    if (this.#isIdle) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  answer(): void {
    this.#state = 'open';
    // Drop the callback: otherwise it would resolve an earlier `hold` during the next one.
    this.#onIdle = undefined;
    for (const res of this.#waiting.splice(0)) if (!res.req.socket.destroyed) this.#pass(res);
  }

  close(): void {
    this.#state = 'closed';
    const unanswered = [...this.#underWay].filter(({ headersSent }) => !headersSent);
    for (const { req } of [...this.#waiting.splice(0), ...unanswered]) req.socket.destroy();
  }

  get #isIdle(): boolean {
    return [...this.#underWay].every(({ req }) => READS.has(req.method));
  }

  #pass(res: ServerResponse<IncomingMessage>): void {
    this.#underWay.add(res);
    res.once('close', () => {
      this.#underWay.delete(res);
      if (this.#onIdle && this.#isIdle) this.#onIdle();
    });
    this.#app(res.req, res);
  }
}
