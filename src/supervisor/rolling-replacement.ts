import { Failure } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Events } from './events.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Deployment } from './release/deployment.ts';
import type { ServingTier } from './serving-tier.ts';
import type { Replacement, Slot } from './slot.ts';
import { roleOf } from './snapshot.ts';

export interface RollingReplacementOptions {
  readonly lifecycle: Lifecycle;
  readonly serving: ServingTier;
  /** Every place, in start order. */
  readonly slots: () => readonly Slot[];
  readonly writer: Slot;
  readonly log: Logger;
  readonly events: Events;
}

/** What a child is replaced by, and why. */
export type ReplacementRequest = Pick<Replacement, 'deployment' | 'cause'>;

/**
 * Puts new children in the place of those that serve, one at a time in the whole system: at most one is doubled.
 * States and who moves them: idle → exchanging (`replace`) → idle, others wait meanwhile; beside that, a series is
 * under way (`reload`, `restart`) or not, and a second one is refused.
 */
export class RollingReplacement {
  readonly #options: RollingReplacementOptions;
  /** The exchange that is under way, if any; the next one waits for it. */
  #current: Promise<unknown> = Promise.resolve();
  #isSeriesUnderWay = false;

  constructor(options: RollingReplacementOptions) {
    this.#options = options;
  }

  /**
   * Brings a deployment into service: one worker at a time, what runs beside them, then the writer, each ready
   * before the old one goes.
   * @returns the names of those replaced
   * @throws Failure why a new child did not come up; it stops there, and the old children go on
   */
  async reload(deployment: Deployment, cause: string): Promise<string[]> {
    const { log, events, serving, writer } = this.#options;
    const replaced: string[] = [];
    try {
      await this.#replaceAll([...serving.slots, writer], { deployment, cause }, replaced);
      log.info({ replaced, cause }, 'reload done');
      events.record('reload', { cause: `${cause}: ${replaced.join(', ')}` });
      return replaced;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      log.error(
        { code: error.code, replaced, cause },
        `reload stopped: ${error.message}; the old processes go on`,
      );
      events.record('reload-failed', { cause: error.message });
      throw error;
    }
  }

  /**
   * Replaces the children of one role by others of the same deployment.
   * @param target a role, such as worker, or a name, such as worker-1
   * @returns the names of those replaced
   * @throws Failure usage when there is none such, or why a new child did not come up
   */
  async restart(target: string, cause: string): Promise<string[]> {
    const all = this.#options.slots();
    const slots = all.filter(({ name }) => name === target || roleOf(name) === target);
    if (slots.length === 0) {
      const names = new Set(all.flatMap(({ name }) => [roleOf(name), name]));
      throw new Failure('usage', `There is no ${target}; there are ${[...names].join(', ')}`);
    }
    const replaced: string[] = [];
    await this.#replaceAll(slots, { cause }, replaced);
    return replaced;
  }

  /**
   * Replaces one child, after those that are being replaced.
   * @param deployment what the new one is made from; that of the old one when left out
   * @throws Failure why the new one did not come up, or not_ready when the system does not serve
   */
  replace(slot: Slot, { deployment, cause }: ReplacementRequest): Promise<void> {
    const { lifecycle } = this.#options;
    const result = this.#current.then(() => {
      lifecycle.demandServing();
      const { DRAIN_TIMEOUT_MS } = (deployment ?? slot.deployment).config;
      return slot.replace({ ...(deployment && { deployment }), drainTimeoutMs: DRAIN_TIMEOUT_MS, cause });
    });
    this.#current = result.catch(() => {});
    return result;
  }

  /** @param replaced gets the name of each, as soon as it is replaced */
  async #replaceAll(slots: readonly Slot[], request: ReplacementRequest, replaced: string[]): Promise<void> {
    this.#options.lifecycle.demandServing();
    if (this.#isSeriesUnderWay) throw new Failure('not_ready', 'A reload or a restart is under way');
    this.#isSeriesUnderWay = true;
    try {
      for (const slot of slots) {
        await this.replace(slot, request);
        replaced.push(slot.name);
      }
    } finally {
      this.#isSeriesUnderWay = false;
    }
  }
}
