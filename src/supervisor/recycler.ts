import type { Logger } from '../platform/log.ts';
import type { Child } from './child.ts';
import { type Clock, processClock } from './clock.ts';
import type { Slot } from './slot.ts';

const MB = 1024 * 1024;
/** How far the limits of two workers may differ, so that workers which started together are not replaced together. */
const JITTER = 0.2;
/** Wait after a failed replacement: the old child still serves. */
const RETRY_MS = 30_000;
/**
 * The child that replaces a recycled one lives at least so long, whatever its limits say: replacements without end
 * would cost more than they save. It doubles as long as each child is due again as soon as it may be.
 */
const LEAST_LIFE_MIN_MS = 60_000;
const LEAST_LIFE_MAX_MS = 60 * 60_000;
/** A child of this age has only loaded its code, and served little. */
const JUST_STARTED_MS = 5000;

export interface RecycleLimits {
  /** 0 is no limit, here and below. */
  readonly memoryMb: number;
  readonly requests: number;
  readonly ageMs: number;
}

export interface RecyclerOptions {
  readonly limits: RecycleLimits;
  /** Whether the system serves: nothing is exchanged before and after that. */
  readonly isServing: () => boolean;
  /** Replaces the child of a slot, at most one in the system at a time. */
  readonly replace: (slot: Slot, cause: string) => Promise<unknown>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** `trouble` has changed. */
  readonly onChange: () => void;
  readonly log: Logger;
  readonly clock?: Clock;
}

/**
 * Replaces children that have grown too large or too old, gracefully. States of a watched child: young → due (a beat
 * shows it past a limit, and it has lived its least time) → replaced, or due again after a while when the replacement
 * did not come up. Besides, the memory limit is possible or not: a child that has just started is past it.
 */
export class Recycler {
  readonly #options: RecyclerOptions;
  readonly #clock: Clock;
  #notBeforeMs = 0;
  readonly #due = new Set<Slot>();
  /** How long the child of a recycled slot has to live at least, by slot. */
  readonly #leastLivesMs = new Map<Slot, number>();
  /** What a child took that had just started, where that is past the limit; by slot. */
  readonly #tooLarge = new Map<Slot, string>();

  constructor(options: RecyclerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? processClock;
  }

  /** What is wrong with the limits, in words; undefined when nothing is. */
  get trouble(): string | undefined {
    const [found] = this.#tooLarge.values();
    const { memoryMb } = this.#options.limits;
    return found
      ? `MEMORY_LIMIT_MB=${memoryMb} is below what a process takes that has just started: ${found}`
      : undefined;
  }

  /** Watches every child that ever fills this slot. */
  watch(slot: Slot): void {
    slot.on('child', (child) => {
      this.#judgeStart(slot, child);
      const share = 1 - this.#options.random() * JITTER;
      child.on('message', (message) => {
        if (message.kind === 'beat' && slot.child === child) this.#look(slot, child, share);
      });
    });
  }

  #look(slot: Slot, child: Child, share: number): void {
    if (!this.#options.isServing()) return;
    const cause = this.#pastLimit(child, share);
    if (!cause || child.state !== 'ready' || this.#due.has(slot)) return;
    const leastLifeMs = this.#leastLivesMs.get(slot) ?? 0;
    if (child.ageMs < leastLifeMs || this.#clock.nowMs() < this.#notBeforeMs) return;
    const isSoon = leastLifeMs > 0 && child.ageMs < 2 * leastLifeMs;
    this.#leastLivesMs.set(slot, isSoon ? Math.min(LEAST_LIFE_MAX_MS, 2 * leastLifeMs) : LEAST_LIFE_MIN_MS);
    this.#due.add(slot);
    this.#options
      .replace(slot, cause)
      .catch((error: Error) => {
        this.#notBeforeMs = this.#clock.nowMs() + RETRY_MS;
        this.#options.log.error(
          { child: slot.name, cause },
          `recycling failed: ${error.message}; it goes on`,
        );
      })
      .finally(() => this.#due.delete(slot));
  }

  /** The first beat of a ready child tells what a process takes at least. */
  #judgeStart(slot: Slot, child: Child): void {
    const onMessage = ({ kind }: { readonly kind: string }) => {
      if (kind !== 'beat' || child.state !== 'ready') return;
      child.off('message', onMessage);
      const { memoryMb } = this.#options.limits;
      const usedMb = usedMbOf(child);
      const before = this.trouble;
      if (memoryMb > 0 && usedMb > memoryMb && child.ageMs < JUST_STARTED_MS)
        this.#tooLarge.set(slot, `${slot.name} took ${usedMb} MB`);
      else this.#tooLarge.delete(slot);
      if (this.trouble !== before) this.#options.onChange();
    };
    child.on('message', onMessage);
  }

  #pastLimit(child: Child, share: number): string | undefined {
    const { memoryMb, requests, ageMs } = this.#options.limits;
    const usedMb = usedMbOf(child);
    const heapMb = Math.round(child.heapUsedBytes / MB);
    if (memoryMb > 0 && usedMb > memoryMb)
      return `memory ${usedMb} MB is past its limit of ${memoryMb} MB, ${heapMb} MB of it heap`;
    if (requests > 0 && child.served > requests * share) return `${child.served} requests served`;
    const livedMs = child.ageMs;
    if (ageMs > 0 && livedMs > ageMs * share) return `${Math.round(livedMs / 1000)} s old`;
    return undefined;
  }
}

/** The larger of the two: a heap that is swapped out is not in the RSS, and slows everything down all the same. */
function usedMbOf({ rssBytes, heapUsedBytes }: Child): number {
  return Math.round(Math.max(rssBytes, heapUsedBytes) / MB);
}
