import type { Logger } from '../log.ts';
import type { Child } from './child.ts';

/** When a spare dies before it has loaded, the next one is not hurried. */
const REFILL_AFTER_DEATH_MS = 30_000;
/** It has loaded everything: one that is not ready by then stands still, and its place is filled by another. */
const ACTIVATION_TIMEOUT_MS = 2000;

export interface SpareOptions {
  /** How many are kept; 0 is none. */
  readonly count: number;
  /** @param name of one that has no place yet */
  readonly spawn: (name: string) => Child;
  /** Whether a place is being filled: what serves soon needs the processor more than what waits. */
  readonly isPlaceStarting: () => boolean;
  readonly log: Logger;
}

/**
 * The workers in reserve: each has loaded and opened everything, and waits to be given a place, so that a worker that
 * dies is made up for in milliseconds. They load one after the other, and only while no place is being filled. States
 * of each and who moves them: loading (`keep`, or another has loaded, or was taken and its place is filled:
 * `placeChanged`) → waiting (it says so); either → taken (`take`), or ended (`discard`). There are none before `keep`
 * and after `discard`. While they are frozen (`freeze`), none is taken or made: a reload is under way, and they have the
 * old code.
 */
export class Spare {
  readonly #options: SpareOptions;
  /** Those that load or wait, by name. */
  readonly #children = new Map<string, Child>();
  #isKept = false;
  #isFrozen = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SpareOptions) {
    this.#options = options;
  }

  /** Those that load or wait, in the order of their names. */
  get children(): readonly Child[] {
    return names(this.#options.count).flatMap((name) => this.#children.get(name) ?? []);
  }

  /** Has them from now on, the frozen ones if there are any. */
  keep(): void {
    this.#isKept = true;
    this.#isFrozen = false;
    this.#fill();
  }

  /**
   * @param name of the place that it takes
   * @returns a worker that waits, on its way to being ready, else the one that loads: it is further than any other
   *   could be; undefined when there is none
   */
  take(name: string): Child | undefined {
    if (this.#isFrozen) return undefined;
    const candidates = this.children.filter((child) => child.canBeActivated);
    const child = candidates.find(({ isStandingBy }) => isStandingBy) ?? candidates[0];
    if (!child) return undefined;
    this.#children.delete(child.name);
    child.activate(name, ACTIVATION_TIMEOUT_MS);
    return child;
  }

  /** A place has changed, or a spare has loaded: when none is being filled any more, the next spare is loaded. */
  placeChanged(): void {
    if (!this.#timer) this.#fill();
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  /** Ends them, and has none until `keep`: they run old code, or the system stops. */
  async discard(cause: string): Promise<void> {
    this.#isKept = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ended = this.children.map((child) => {
      child.kill('SIGKILL', cause);
      return child.ended();
    });
    await Promise.all(ended);
  }

  #fill(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isKept || this.#isFrozen || this.#options.isPlaceStarting()) return;
    const isLoading = this.children.some(({ isStandingBy }) => !isStandingBy);
    const name = names(this.#options.count).find((candidate) => !this.#children.has(candidate));
    if (name && !isLoading) this.#load(name);
  }

  #load(name: string): void {
    const child = this.#options.spawn(name);
    this.#children.set(name, child);
    let hasLoaded = false;
    child.on('message', (message) => {
      if (message.kind !== 'standby') return;
      hasLoaded = true;
      this.placeChanged();
    });
    child.once('exit', ({ cause }) => {
      if (this.#children.get(name) !== child) return;
      this.#children.delete(name);
      if (!this.#isKept) return;
      this.#options.log.warn({ childPid: child.pid, cause }, `the spare worker died: ${cause}`);
      clearTimeout(this.#timer);
      // What has never loaded is code that does not work, and the next one would not either.
      this.#timer = setTimeout(() => this.#fill(), hasLoaded ? 0 : REFILL_AFTER_DEATH_MS);
    });
  }
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `worker-spare-${index + 1}`);
}
