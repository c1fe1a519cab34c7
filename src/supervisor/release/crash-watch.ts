import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../platform/errors.ts';
import type { ChildExit } from '../child-exit.ts';
import type { Slot } from '../slot.ts';

/** One fault may come from a request; a second one so soon comes from the code. */
const FAULTS_MAX = 1;
/** Code that fails as soon as it serves shows that within this time. */
const WATCH_MS = 1000;

/**
 * Counts how often exchanged processes fail while their release is brought in. A release that came up once and then
 * crashes again and again is not good enough.
 */
export class CrashWatch {
  readonly #slots: Slot[] = [];
  readonly #faults: ChildExit[] = [];
  readonly #onDeath = (exit: ChildExit) => {
    if (exit.endedBy === 'fault' || exit.endedBy === 'hang') this.#faults.push(exit);
  };

  add(slot: Slot): void {
    this.#slots.push(slot);
    slot.on('death', this.#onDeath);
  }

  /**
   * Waits for processes that are being restarted.
   * @throws Failure child_failed when they have failed more than once
   */
  async demandSound(): Promise<void> {
    this.#demandFew();
    for (const slot of this.#slots) await slot.ready();
    this.#demandFew();
  }

  /**
   * Resolves when no process has failed for WATCH_MS.
   * @throws Failure as `demandSound`
   */
  async demandLasting(): Promise<void> {
    let seen: number;
    do {
      seen = this.#faults.length;
      await delay(WATCH_MS);
      await this.demandSound();
    } while (this.#faults.length > seen);
  }

  end(): void {
    for (const slot of this.#slots) slot.off('death', this.#onDeath);
  }

  #demandFew(): void {
    const times = this.#faults.length;
    if (times <= FAULTS_MAX) return;
    const cause = this.#faults.at(-1)?.cause;
    throw new Failure('child_failed', `Its processes failed ${times} times as soon as they served: ${cause}`);
  }
}
