import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { PROBES } from './middleware/probes.ts';

/** They write nothing; a page that follows what happens is answered for as long as somebody looks at it. */
const READS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD']);

/**
 * Has requests wait while the lead is handed over. States: open → holding (`hold`), in which new ones wait, but for probes →
 * open (`answer`), and they are answered, or closed (`close`), and they, those under way whose answer has not begun and all
 * that come are closed unanswered, again but for probes: whoever asks is to learn that nothing is served here any more.
 */
export class RequestGate {
  readonly #app: RequestListener;
  readonly #waiting: ServerResponse<IncomingMessage>[] = [];
  readonly #underWay = new Set<ServerResponse<IncomingMessage>>();
  #state: 'open' | 'holding' | 'closed' = 'open';
  /** Nothing is under way any more that may write. */
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

  /** Resolves when all that came before and may write is answered; never where `answer` comes first. */
  async hold(): Promise<void> {
    this.#state = 'holding';
    if (this.#isIdle) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  answer(): void {
    this.#state = 'open';
    // What holds next would take its answer for its own.
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
