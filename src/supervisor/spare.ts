import type { Logger } from '../log.ts';
import type { Child } from './child.ts';
import type { Deployment } from './release/deployment.ts';

/** When a spare dies before it has loaded, the next one is not hurried. */
const REFILL_AFTER_DEATH_MS = 30_000;
/** It has loaded everything: one that is not ready by then stands still, and its place is filled by another. */
const ACTIVATION_TIMEOUT_MS = 2000;

export interface SpareOptions {
  /** Those that are kept; none is none. */
  readonly names: readonly string[];
  /** What new ones are made from. */
  readonly deployment: () => Deployment;
  /** @param name of one that has no place yet */
  readonly spawn: (name: string, deployment: Deployment) => Child;
  /** Whether a place is being filled: what serves soon needs the processor more than what waits. */
  readonly isPlaceStarting: () => boolean;
  readonly log: Logger;
}

/**
 * The workers in reserve: each has loaded and opened everything, and waits to be given a place, so that a worker that
 * dies is made up for in milliseconds. They load one after the other, and only while no place is being filled. States
 * of each and who moves them: loading (`keep`, or another has loaded, or was taken and its place is filled:
 * `placeChanged`) → standby (it says so); either → taken (`take`), or ended (`discard`, or another deployment serves).
 * There are none before `keep` and after `discard`.
 */
export class Spare {
  readonly #options: SpareOptions;
  /** Those that load or stand by, by name. */
  readonly #children = new Map<string, Child>();
  #isKept = false;
  #timer: NodeJS.Timeout | undefined;
  /** Whose spare the timer keeps waiting. */
  #delayed: Deployment | undefined;

  constructor(options: SpareOptions) {
    this.#options = options;
  }

  /** Those that load or stand by, in the order of their names. */
  get children(): readonly Child[] {
    return this.#options.names.flatMap((name) => this.#children.get(name) ?? []);
  }

  /** Has them from now on. */
  keep(): void {
    this.#isKept = true;
    this.#fill();
  }

  /**
   * @param name of the place that it takes
   * @param deployment that the place wants
   * @returns a worker that stands by, on its way to being ready, else the one that loads: it is further than any other
   *   could be; undefined when there is none
   */
  take(name: string, deployment: Deployment): Child | undefined {
    const candidates = this.children.filter(
      (child) => child.canBeActivated && child.deployment === deployment,
    );
    const child = candidates.find(({ state }) => state === 'standby') ?? candidates[0];
    if (!child) return undefined;
    this.#children.delete(child.name);
    child.activate({ name, readyTimeoutMs: ACTIVATION_TIMEOUT_MS });
    return child;
  }

  /** A place has changed, or a spare has loaded: when none is being filled any more, the next spare is loaded. */
  placeChanged(): void {
    if (!this.#timer || this.#delayed !== this.#options.deployment()) this.#fill();
  }

  /** Ends them, and has none until `keep`: the system stops, or replaces the files that they have open. */
  async discard(cause: string): Promise<void> {
    this.#isKept = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ended = this.children.map((child) => {
      child.kill(cause);
      return child.ended();
    });
    await Promise.all(ended);
  }

  #fill(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isKept || this.#options.isPlaceStarting()) return;
    const deployment = this.#options.deployment();
    for (const child of this.children) {
      if (child.deployment !== deployment) child.kill('another release serves');
    }
    const isLoading = this.children.some(({ state }) => state !== 'standby');
    const name = this.#options.names.find((candidate) => !this.#children.has(candidate));
    if (name && !isLoading) this.#load(name, deployment);
  }

  #load(name: string, deployment: Deployment): void {
    const child = this.#options.spawn(name, deployment);
    this.#children.set(name, child);
    let hasLoaded = false;
    child.on('state', (state) => {
      if (state !== 'standby') return;
      hasLoaded = true;
      this.placeChanged();
    });
    child.once('exit', ({ cause, endedBy }) => {
      if (this.#children.get(name) !== child) return;
      this.#children.delete(name);
      if (!this.#isKept) return;
      const isWanted = endedBy !== 'us';
      if (isWanted) this.#options.log.warn({ childPid: child.pid, cause }, `the spare worker died: ${cause}`);
      clearTimeout(this.#timer);
      // What has never loaded is code that does not work, and the next one would not either.
      const delayMs = hasLoaded || !isWanted ? 0 : REFILL_AFTER_DEATH_MS;
      this.#delayed = child.deployment;
      this.#timer = setTimeout(() => this.#fill(), delayMs);
    });
  }
}
