import type { Clock, Timer } from './clock.ts';

const LOOK_INTERVAL_MS = 100;
/** Added to the timeout before a child has said that it is ready: it loads its code, or opens databases. */
const GRACE_MS = 2500;

export interface SilenceWatchOptions {
  /** A ready child that is silent for so long counts as hung; 0 for a child that does not beat. */
  readonly silenceTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly clock: Clock;
  readonly onHung: (silentMs: number) => void;
}

/** Finds a child whose event loop stands still, by its silence. States: idle ⇄ looking (`start`, `stop`). */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  #timer: Timer | undefined;
  #lastHeardMs = 0;
  #hasSpoken = false;
  #isReady = false;
  /** Looks in a row at which it had been silent for too long. */
  #silentLooks = 0;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  /** It has sent a message. */
  heard(): void {
    this.#hasSpoken = true;
    this.#lastHeardMs = this.#options.clock.nowMs();
  }

  /** It has said that it is ready: from now on nothing that it does takes long. */
  saidReady(): void {
    this.#isReady = true;
  }

  start(): void {
    const { silenceTimeoutMs, clock, onHung } = this.#options;
    if (silenceTimeoutMs === 0) return;
    this.#lastHeardMs = clock.nowMs();
    this.#timer?.cancel();
    this.#timer = clock.every(LOOK_INTERVAL_MS, () => {
      const silentMs = clock.nowMs() - this.#lastHeardMs;
      this.#silentLooks = silentMs > this.#maxMs ? this.#silentLooks + 1 : 0;
      // At the first such look, its messages may have arrived and not been read yet.
      if (this.#silentLooks === 2) onHung(Math.round(silentMs));
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  get #maxMs(): number {
    const { silenceTimeoutMs, startTimeoutMs } = this.#options;
    if (this.#isReady) return silenceTimeoutMs;
    // A child that is watched from its fork on loads its code first, like any other that starts.
    return (this.#hasSpoken ? silenceTimeoutMs : Math.max(startTimeoutMs, silenceTimeoutMs)) + GRACE_MS;
  }
}
