import { processClock } from './clock.ts';

export interface WaitOptions {
  /** Throws when nothing will change any more; asked before each wait. */
  readonly demandGoingOn: () => void;
  /** Rejects when it cannot come to be. */
  readonly failed?: Promise<never>;
  readonly timeoutMs?: number | undefined;
}

/** Those who wait for what only the messages of a process tell. */
export class Changes {
  readonly #waiting: (() => void)[] = [];

  /** Something has changed: whoever waits looks again. */
  announce(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when the condition is met, or that takes too long. @throws what the options' ends throw */
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
