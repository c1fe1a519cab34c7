import { backoffMs, jittered } from '../platform/backoff.ts';

export interface RestartPolicyOptions {
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** This many faults within the window open the breaker. */
  readonly intensity: number;
  readonly windowMs: number;
  /** While the breaker is open, one try this often. */
  readonly breakerRetryMs: number;
  /** A child that was ready for so long is restarted without back-off. */
  readonly stableMs: number;
  /** Monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface Restart {
  readonly delayMs: number;
  readonly breakerOpen: boolean;
}

/**
 * When to start a child again. Two measures, after Erlang's supervisor and common back-off practice: the delay doubles
 * with each quick death, with jitter, and a sliding window counts faults. Breaker: closed → open (intensity reached) →
 * closed (a try stayed ready for the window).
 *
 * A death by somebody else's SIGKILL is no fault of the code: it never opens the breaker, and a child that was ready is
 * replaced at once. A child that never gets ready is delayed all the same: something may kill each start.
 *
 * The breaker spares the machine, where others do the child's work. A child that is alone has only the back-off:
 * without it nothing would be served, and what ends it again and again may be one request of many.
 */
export class RestartPolicy {
  readonly #options: RestartPolicyOptions;
  #quickDeaths = 0;
  #faultsAtMs: number[] = [];
  #breakerOpen = false;

  constructor(options: RestartPolicyOptions) {
    this.#options = options;
  }

  get breakerOpen(): boolean {
    return this.#breakerOpen;
  }

  /**
   * @param readyForMs how long the dead child had been ready
   * @param isFault whether its own code caused its death
   * @param isAlone whether no other child does its work meanwhile
   * @returns how long to wait before the next start
   */
  afterDeath(readyForMs: number, isFault: boolean, isAlone = false): Restart {
    const { backoffMinMs, backoffMaxMs, intensity, windowMs, breakerRetryMs, stableMs, now, random } =
      this.#options;
    const nowMs = now();
    this.#faultsAtMs = this.#faultsAtMs.filter((atMs) => nowMs - atMs < windowMs);
    if (this.#breakerOpen && readyForMs >= windowMs) this.#close();
    if (isFault) this.#faultsAtMs.push(nowMs);
    if (this.#faultsAtMs.length >= intensity) this.#breakerOpen = true;
    const breakerOpen = this.#breakerOpen;
    if (breakerOpen && !isAlone) return { delayMs: jittered(breakerRetryMs, random), breakerOpen };
    if (readyForMs >= stableMs) this.#quickDeaths = 0;
    if (readyForMs >= stableMs || (readyForMs > 0 && !isFault)) return { delayMs: 0, breakerOpen };
    this.#quickDeaths += 1;
    const limits = { minMs: backoffMinMs, maxMs: backoffMaxMs, random };
    return { delayMs: backoffMs(this.#quickDeaths, limits), breakerOpen };
  }

  /** The child has stayed ready for the whole window: its record is reset. */
  reset(): void {
    this.#close();
    this.#quickDeaths = 0;
  }

  #close(): void {
    this.#breakerOpen = false;
    this.#faultsAtMs = [];
  }
}
