import { backoffMs } from '../platform/backoff.ts';
import type { Logger } from '../platform/log.ts';
import type { Child } from './child.ts';
import { type Clock, processClock, type Timer } from './clock.ts';
import type { Deployment } from './release/deployment.ts';

/** When spares die, their back-off is long: nobody waits for the next one. */
const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 30_000;
/** A spare that stood by for so long did not die of a fault of its code. */
const STABLE_MS = 10_000;
/** How long an activated spare may take. It has loaded everything: one that takes longer hangs, and is replaced. */
const ACTIVATION_TIMEOUT_MS = 2000;

export interface SpareOptions {
  /** One for each spare that is kept; may be empty. */
  readonly names: readonly string[];
  /** What new spares are made from. */
  readonly deployment: () => Deployment;
  /** @param name of the spare, which has no place yet */
  readonly spawn: (name: string, deployment: Deployment) => Child;
  /** Whether a place is being filled: a worker that will serve needs the processor more than a spare. */
  readonly isPlaceStarting: () => boolean;
  /** How long a spare may take to load; a spare that is missing for longer is reported. */
  readonly startTimeoutMs: number;
  /** `trouble` has changed. */
  readonly onChange: () => void;
  readonly log: Logger;
  readonly clock?: Clock;
}

/**
 * The workers in reserve. Each has loaded and opened everything, and waits for a place, so that a dead worker is
 * replaced in milliseconds. They load one after the other, and only while no place is being filled. States of each and
 * who moves them: loading (`keep`; or `placeChanged`, when another has loaded, or the place that took one is filled) →
 * standby (it says so); either → taken (`take`), or ended (`discard`, or another deployment serves). There are none
 * before `keep` and after `discard`. Besides, all stand by, or one has been missing for a time.
 */
export class Spare {
  readonly #options: SpareOptions;
  /** Spares that load or stand by, by name. */
  readonly #children = new Map<string, Child>();
  readonly #clock: Clock;
  #isKept = false;
  #timer: Timer | undefined;
  /** The deployment of the spare whose back-off the timer is. */
  #delayed: Deployment | undefined;
  /** Deaths since a spare last stood by for long. */
  #failures = 0;
  #lastCause: string | undefined;
  /** Runs while a spare is missing; when it ends, that is reported. */
  #missingTimer: Timer | undefined;
  #isMissed = false;

  constructor(options: SpareOptions) {
    this.#options = options;
    this.#clock = options.clock ?? processClock;
  }

  /** Spares that load or stand by, in the order of their names. */
  get children(): readonly Child[] {
    return this.#options.names.flatMap((name) => this.#children.get(name) ?? []);
  }

  /** Why a spare is missing, in words; undefined when none is, or not for longer than a start may take. */
  get trouble(): string | undefined {
    if (!this.#isMissed) return undefined;
    const { names } = this.#options;
    const missing = names.length - this.#standingBy;
    const what = names.length === 1 ? 'no worker stands by' : `${missing} of ${names.length} do not stand by`;
    return this.#lastCause
      ? `${what}: the last one ${this.#lastCause}`
      : `${what}: a place waits to be filled`;
  }

  /** Keeps spares from now on. */
  keep(): void {
    this.#isKept = true;
    this.#fill();
    this.#watchMissing();
  }

  /**
   * @param name of the place to fill
   * @param deployment that the place wants
   * @returns an activated spare, if possible one that stands by, else the one that loads, which is ahead of any new
   *   worker; undefined when there is none
   */
  take(name: string, deployment: Deployment): Child | undefined {
    const candidates = this.children.filter(
      (child) => child.canBeActivated && child.deployment === deployment,
    );
    const child = candidates.find(({ state }) => state === 'standby') ?? candidates[0];
    if (!child) return undefined;
    this.#children.delete(child.name);
    this.#watchMissing();
    child.activate({ name, readyTimeoutMs: ACTIVATION_TIMEOUT_MS });
    return child;
  }

  /** A place has changed, or a spare has loaded: the next spare is loaded unless a place is being filled. */
  placeChanged(): void {
    if (!this.#timer || this.#delayed !== this.#options.deployment()) this.#fill();
  }

  /** Ends all spares, and keeps none until `keep`: the system stops, or replaces the files that they have open. */
  async discard(cause: string): Promise<void> {
    this.#isKept = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#watchMissing();
    const ended = this.children.map((child) => {
      child.kill(cause);
      return child.ended();
    });
    await Promise.all(ended);
  }

  get #standingBy(): number {
    return this.children.filter(({ state }) => state === 'standby').length;
  }

  #watchMissing(): void {
    if (!this.#isKept || this.#standingBy === this.#options.names.length) {
      this.#missingTimer?.cancel();
      this.#missingTimer = undefined;
      this.#lastCause = undefined;
      const wasMissed = this.#isMissed;
      this.#isMissed = false;
      if (wasMissed) this.#options.onChange();
    } else
      this.#missingTimer ??= this.#clock.after(this.#options.startTimeoutMs, () => {
        this.#isMissed = true;
        this.#options.onChange();
      });
  }

  #fill(): void {
    this.#timer?.cancel();
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
    let loadedAtMs = Number.POSITIVE_INFINITY;
    child.on('state', (state) => {
      if (state !== 'standby') return;
      loadedAtMs = this.#clock.nowMs();
      this.#watchMissing();
      this.placeChanged();
    });
    child.once('exit', ({ cause, endedBy }) => {
      if (this.#children.get(name) !== child) return;
      this.#children.delete(name);
      if (!this.#isKept) return;
      this.#watchMissing();
      const isStable = this.#clock.nowMs() - loadedAtMs >= STABLE_MS;
      if (endedBy !== 'us') {
        this.#lastCause = cause;
        this.#failures = isStable ? 0 : this.#failures + 1;
        this.#options.log.warn({ childPid: child.pid, cause }, `the spare worker died: ${cause}`);
        if (this.#isMissed) this.#options.onChange();
      }
      this.#timer?.cancel();
      this.#delayed = child.deployment;
      this.#timer = this.#clock.after(endedBy === 'us' ? 0 : this.#delayMs(), () => this.#fill());
    });
  }

  #delayMs(): number {
    if (this.#failures === 0) return 0;
    const limits = { minMs: BACKOFF_MIN_MS, maxMs: BACKOFF_MAX_MS, random: Math.random };
    return backoffMs(this.#failures, limits);
  }
}
