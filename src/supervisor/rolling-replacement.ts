import { Failure } from '../platform/errors.ts';
import type { Child } from './child.ts';
import { processClock } from './clock.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Replacement, Slot } from './slot.ts';
import { roleOf } from './snapshot.ts';

export interface RollingReplacementOptions {
  readonly lifecycle: Lifecycle;
  /** Every slot, in start order. */
  readonly slots: () => readonly Slot[];
}

/** What a child is replaced with, and why. */
export type ReplacementRequest = Pick<Replacement, 'deployment' | 'cause'>;

/**
 * Replaces children that serve, one at a time in the whole system. An old child may drain for as long as a request may
 * take; after DRAIN_TIMEOUT_MS the next slot is exchanged meanwhile. So at most two slots have two children: the
 * current one, and the one before. States and who moves them: idle → exchanging (`replace`) → idle; others wait
 * meanwhile. Besides, a series is under way (`reload`, `restart`) or not, and a second one is refused.
 */
export class RollingReplacement {
  readonly #options: RollingReplacementOptions;
  /** The exchange that is under way, if any; the next one waits for it. */
  #current: Promise<unknown> = Promise.resolve();
  /** Resolves when the old child that drains for long, if there is one, has ended. */
  #lingering: Promise<void> = Promise.resolve();
  #isSeriesUnderWay = false;

  constructor(options: RollingReplacementOptions) {
    this.#options = options;
  }

  /**
   * Replaces the children of one role, from the same deployment.
   * @param target a role, such as worker, or a name, such as worker-1
   * @returns the names of the children that were replaced
   * @throws Failure usage when there is no such child, or why a new child did not come up
   */
  async restart(target: string, cause: string): Promise<string[]> {
    const all = this.#options.slots();
    const slots = all.filter(({ name }) => name === target || roleOf(name) === target);
    if (slots.length === 0) {
      const names = new Set(all.flatMap(({ name }) => [roleOf(name), name]));
      throw new Failure('usage', `There is no ${target}; there are ${[...names].join(', ')}`);
    }
    const replaced: string[] = [];
    await this.series(async (replace) => {
      for (const slot of slots) {
        await replace(slot, { cause });
        replaced.push(slot.name);
      }
    });
    return replaced;
  }

  /**
   * Replaces one child, after those that are being replaced.
   * @param deployment what the new child is made from; that of the old one when left out
   * @throws Failure why the new child did not come up, or not_ready when the system does not serve
   */
  replace(slot: Slot, { deployment, cause }: ReplacementRequest): Promise<void> {
    const { lifecycle } = this.#options;
    const result = this.#current.then(async () => {
      lifecycle.demandServing();
      const old = await slot.replace({ ...(deployment && { deployment }), cause });
      if (old) await this.#leaves(old, slot.deployment.config.DRAIN_TIMEOUT_MS);
    });
    this.#current = result.catch(() => {});
    return result;
  }

  /** Resolves when the old child has ended, or when it is the only one that still drains after that time. */
  async #leaves(old: Child, timeoutMs: number): Promise<void> {
    const late = Promise.withResolvers<'late'>();
    const timer = processClock.after(timeoutMs, () => late.resolve('late'));
    const ended = old.ended();
    if ((await Promise.race([ended, late.promise])) !== 'late') timer.cancel();
    else {
      await Promise.race([ended, this.#lingering]);
      this.#lingering = Promise.all([ended, this.#lingering]).then(() => {});
    }
  }

  /**
   * Replaces several children; no other series runs meanwhile.
   * @throws Failure not_ready when a series is under way, or what `run` throws
   */
  async series(run: (replace: RollingReplacement['replace']) => Promise<void>): Promise<void> {
    this.#options.lifecycle.demandServing();
    if (this.#isSeriesUnderWay) throw new Failure('not_ready', 'A reload or a restart is under way');
    this.#isSeriesUnderWay = true;
    try {
      await run((slot, request) => this.replace(slot, request));
    } finally {
      this.#isSeriesUnderWay = false;
    }
  }
}
