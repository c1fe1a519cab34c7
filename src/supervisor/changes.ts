import { processClock } from './clock.ts';

export interface WaitOptions {
  /** Throws when nothing will change any more; called before each wait. */
  readonly demandGoingOn: () => void;
  /** Rejects when the condition can no longer be met. */
  readonly failed?: Promise<never>;
  readonly timeoutMs?: number | undefined;
}

/** Lets callers wait for a condition that only messages of a process can change. */
export class Changes {
  readonly #waiting: (() => void)[] = [];

  /** Something has changed: every waiting caller checks its condition again. */
  announce(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when the condition is met, or `timeoutMs` has passed. @throws what `demandGoingOn` or `failed` throw */
  async until(condition: () => boolean, { demandGoingOn, failed, timeoutMs }: WaitOptions): Promise<void> {
    let isLate = false;
    const timer =
      timeoutMs === undefined
        ? undefined
        : processClock.after(timeoutMs, () => {
            isLate = true;
            this.announce();
          });
    const met = (async () => {
      while (!condition() && !isLate) {
        demandGoingOn();
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    })();
    try {
      await (failed === undefined ? met : Promise.race([met, failed]));
    } finally {
      timer?.cancel();
    }
  }
}
