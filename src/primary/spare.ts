import type { Logger } from '../log.ts';
import type { Child } from './child.ts';

/** When a spare dies before it has loaded, the next one is not hurried. */
const REFILL_AFTER_DEATH_MS = 30_000;
/** It has loaded everything: one that is not ready by then stands still, and its place is filled by another. */
const ACTIVATION_TIMEOUT_MS = 2000;

export interface SpareOptions {
  readonly spawn: () => Child;
  /** Whether a place is being filled: what serves soon needs the processor more than what waits. */
  readonly isPlaceStarting: () => boolean;
  readonly log: Logger;
}

/**
 * One worker in reserve: it has loaded and opened everything, and waits to be given a place, so that a worker that
 * dies is made up for in milliseconds. States and who moves them: off → loading (`keep`) → waiting (it says so);
 * either → taken (`take`), which begins anew when no place is being filled (`placeChanged`); discarded → off
 * (`discard`), until `keep`. While it is frozen (`freeze`), it is neither taken nor made: a reload is under way, and
 * it has the old code.
 */
export class Spare {
  readonly #options: SpareOptions;
  #child: Child | undefined;
  #isKept = false;
  #isFrozen = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SpareOptions) {
    this.#options = options;
  }

  /** The one that loads or waits. */
  get child(): Child | undefined {
    return this.#child;
  }

  /** Has one from now on, the frozen one if there is one. */
  keep(): void {
    this.#isKept = true;
    this.#isFrozen = false;
    this.#fill();
  }

  /**
   * @param name of the place that it takes
   * @returns the worker that waits, on its way to being ready, or the one that loads: it is further than any other
   *   could be; undefined when there is none
   */
  take(name: string): Child | undefined {
    const child = this.#child;
    if (this.#isFrozen || !child?.canBeActivated) return undefined;
    this.#child = undefined;
    child.activate(name, ACTIVATION_TIMEOUT_MS);
    return child;
  }

  /** A place has changed: when none is being filled any more, the next spare is loaded. */
  placeChanged(): void {
    if (!this.#timer) this.#fill();
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  /** Ends it, and has none until `keep`: it runs old code, or the system stops. */
  async discard(cause: string): Promise<void> {
    this.#isKept = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#child?.kill('SIGKILL', cause);
    await this.#child?.ended();
  }

  #fill(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isKept || this.#isFrozen || this.#child || this.#options.isPlaceStarting()) return;
    const child = this.#options.spawn();
    this.#child = child;
    let hasLoaded = false;
    child.on('message', (message) => {
      if (message.kind === 'standby') hasLoaded = true;
    });
    child.once('exit', ({ cause }) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      if (!this.#isKept) return;
      this.#options.log.warn({ childPid: child.pid, cause }, `the spare worker died: ${cause}`);
      // What has never loaded is code that does not work, and the next one would not either.
      this.#timer = setTimeout(() => this.#fill(), hasLoaded ? 0 : REFILL_AFTER_DEATH_MS);
    });
  }
}
