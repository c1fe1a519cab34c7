import type { Logger } from '../log.ts';
import type { Child } from './child.ts';
import type { Slot } from './slot.ts';

const MB = 1024 * 1024;
/** How far the limits of two workers may differ, so that workers that started together do not go together. */
const JITTER = 0.2;
/** When a replacement has not come up, the next try waits: the old child still serves. */
const RETRY_MS = 30_000;

export interface RecycleLimits {
  /** 0 is no limit, here and below. */
  readonly memoryMb: number;
  readonly requests: number;
  readonly ageMs: number;
}

export interface RecyclerOptions {
  readonly limits: RecycleLimits;
  /** Whether the system serves: before and after that, nothing is exchanged. */
  readonly isServing: () => boolean;
  /** Replaces the child of a slot, at most one in the system at a time. */
  readonly replace: (slot: Slot, cause: string) => Promise<unknown>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

/**
 * Replaces children that have grown too large or too old, gracefully. A watched child is: young → due (a beat shows
 * it past a limit) → replaced; or due again after a while when its replacement did not come up.
 */
export class Recycler {
  readonly #options: RecyclerOptions;
  #notBeforeMs = 0;
  readonly #due = new Set<Slot>();

  constructor(options: RecyclerOptions) {
    this.#options = options;
  }

  /** Watches every child that ever fills this slot. */
  watch(slot: Slot): void {
    slot.on('child', (child) => {
      const share = 1 - this.#options.random() * JITTER;
      child.on('message', (message) => {
        if (message.kind === 'beat' && slot.child === child) this.#look(slot, child, share);
      });
    });
  }

  #look(slot: Slot, child: Child, share: number): void {
    if (!this.#options.isServing()) return;
    const cause = this.#pastLimit(child, share);
    if (!cause || child.state !== 'ready' || this.#due.has(slot) || performance.now() < this.#notBeforeMs)
      return;
    this.#due.add(slot);
    this.#options
      .replace(slot, cause)
      .catch((error: Error) => {
        this.#notBeforeMs = performance.now() + RETRY_MS;
        this.#options.log.error(
          { child: slot.name, cause },
          `recycling failed: ${error.message}; it goes on`,
        );
      })
      .finally(() => this.#due.delete(slot));
  }

  #pastLimit(child: Child, share: number): string | undefined {
    const { memoryMb, requests, ageMs } = this.#options.limits;
    const rssMb = Math.round(child.rssBytes / MB);
    // A heap that is swapped out is in no RSS, and slows everything down all the same.
    const heapMb = Math.round(child.heapUsedBytes / MB);
    const usedMb = Math.max(rssMb, heapMb);
    if (memoryMb > 0 && usedMb > memoryMb)
      return `memory ${usedMb} MB is past its limit of ${memoryMb} MB, ${heapMb} MB of it heap`;
    if (requests > 0 && child.served > requests * share) return `${child.served} requests served`;
    const livedMs = child.ageMs;
    if (ageMs > 0 && livedMs > ageMs * share) return `${Math.round(livedMs / 1000)} s old`;
    return undefined;
  }
}
