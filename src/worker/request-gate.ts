import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { PROBES } from './middleware/probes.ts';

/**
 * Has requests wait while the lead is handed over. States: open → holding (`hold`), in which new ones wait, but for probes →
 * open (`answer`), and they are answered, or closed (`close`), and they and all that come are closed unanswered, again but
 * for probes: whoever asks is to learn that nothing is served here any more.
 */
export class RequestGate {
  readonly #app: RequestListener;
  readonly #waiting: [IncomingMessage, ServerResponse][] = [];
  readonly #underWay = new Set<ServerResponse>();
  #state: 'open' | 'holding' | 'closed' = 'open';
  #onIdle: (() => void) | undefined;

  /** @param app answers requests */
  constructor(app: RequestListener) {
    this.#app = app;
  }

  /** Takes each request, in place of the app. */
  readonly listener: RequestListener = (req, res) => {
    const isProbe = PROBES.has(req.url?.split('?', 1)[0] ?? '');
    if (this.#state === 'open' || isProbe) this.#pass(req, res);
    else if (this.#state === 'holding') this.#waiting.push([req, res]);
    else req.socket.destroy();
  };

  /** Resolves when all that came before is answered. */
  async hold(): Promise<void> {
    this.#state = 'holding';
    if (this.#underWay.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  answer(): void {
    this.#state = 'open';
    for (const [req, res] of this.#waiting.splice(0)) if (!req.socket.destroyed) this.#pass(req, res);
  }

  close(): void {
    this.#state = 'closed';
    for (const [req] of this.#waiting.splice(0)) req.socket.destroy();
  }

  #pass(req: IncomingMessage, res: ServerResponse): void {
    this.#underWay.add(res);
    res.once('close', () => {
      this.#underWay.delete(res);
      if (this.#underWay.size === 0) this.#onIdle?.();
    });
    this.#app(req, res);
  }
}
