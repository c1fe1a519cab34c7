import type { Answers, Ask } from '../child/answers.ts';
import type { Question, ToPrimary } from '../child/messages.ts';
import { Failure } from '../errors.ts';

const TIMEOUT_MS = 3000;

/**
 * A worker's way to ask the primary. A question is: asked (`ask`) → answered (`told`), or given up when the primary
 * does not answer in time.
 */
export class PrimaryClient {
  readonly #tell: (message: ToPrimary) => void;
  readonly #asked = new Map<number, (answer: unknown) => void>();
  #lastId = 0;

  /** @param tell sends to the primary */
  constructor(tell: (message: ToPrimary) => void) {
    this.#tell = tell;
  }

  readonly ask: Ask = <Asked extends Question>(question: Asked) =>
    new Promise<Answers[Asked]>((resolve, reject) => {
      this.#lastId += 1;
      const id = this.#lastId;
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(new Failure('not_ready', 'The primary does not answer', { retryAfterSeconds: 1 }));
      }, TIMEOUT_MS).unref();
      this.#asked.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer as Answers[Asked]);
      });
      this.#tell({ kind: 'ask', id, question });
    });

  /** Takes what the primary answers. */
  told(id: number, answer: unknown): void {
    this.#asked.get(id)?.(answer);
    this.#asked.delete(id);
  }
}
