import type { Question, ToPrimary } from '../messages/messages.ts';
import { Failure } from '../platform/errors.ts';
import type { Answers, Ask } from './answers.ts';

const TIMEOUT_MS = 3000;

/**
 * Asks the primary for a child. States of a question: asked (`ask`) → answered (`told`), or given up when the primary
 * does not answer in time.
 */
export class PrimaryClient {
  readonly #send: (message: ToPrimary) => void;
  readonly #asked = new Map<number, (answer: unknown) => void>();
  #lastId = 0;

  /** @param send sends to the primary */
  constructor(send: (message: ToPrimary) => void) {
    this.#send = send;
  }

  readonly ask: Ask = <Asked extends Question>(question: Asked, about?: string) =>
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
      this.#send({ kind: 'ask', id, question, ...(about !== undefined && { about }) });
    });

  /** Takes an answer of the primary. */
  told(id: number, answer: unknown): void {
    this.#asked.get(id)?.(answer);
    this.#asked.delete(id);
  }
}
