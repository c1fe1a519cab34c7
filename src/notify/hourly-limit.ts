const HOUR_MS = 3_600_000;
const MESSAGES_MAX = 10;
/** Pause between messages while the file cannot be written: so the next process can count them by the time alone. */
const UNRECORDED_INTERVAL_MS = HOUR_MS / MESSAGES_MAX;

export interface HourlyLimitOptions {
  /** When messages were sent, according to the file; milliseconds since the epoch. */
  readonly sentAtMs: readonly number[];
  /** When the file was written last; undefined when there is none. */
  readonly recordedAtMs: number | undefined;
  readonly nowMs: number;
}

/**
 * Allows at most 10 messages an hour, also across restarts.
 *
 * States: recording (each message is in the file before it is sent) → unrecorded (`unrecorded`: the file cannot be
 * written) → recording (`recorded`). While unrecorded, a process waits six minutes from its start and from each
 * message, and assumes that earlier processes have sent at that rate since the file was last written.
 */
export class HourlyLimit {
  readonly #bornAtMs: number;
  #sentAtMs: number[];
  #recordedAtMs: number;
  #isRecording = true;
  /** Messages that are not in the file. */
  #unrecordedAtMs: number[] = [];

  constructor({ sentAtMs, recordedAtMs, nowMs }: HourlyLimitOptions) {
    this.#bornAtMs = nowMs;
    // A time in the future comes from a clock that was wrong.
    this.#sentAtMs = sentAtMs.map((atMs) => Math.min(atMs, nowMs));
    this.#recordedAtMs = Math.min(recordedAtMs ?? 0, nowMs);
  }

  /** Whether every message is in the file before it is sent. */
  get isRecording(): boolean {
    return this.#isRecording;
  }

  /** When messages were sent, for the file. */
  get sentAtMs(): readonly number[] {
    return [...this.#sentAtMs, ...this.#unrecordedAtMs];
  }

  allows(nowMs: number): boolean {
    this.#sentAtMs = this.#sentAtMs.filter((atMs) => nowMs - atMs < HOUR_MS);
    this.#unrecordedAtMs = this.#unrecordedAtMs.filter((atMs) => nowMs - atMs < HOUR_MS);
    if (this.#isRecording) return this.sentAtMs.length < MESSAGES_MAX;
    const lastAtMs = this.#unrecordedAtMs.at(-1) ?? this.#sentAtMs.at(-1) ?? 0;
    if (nowMs - Math.max(this.#bornAtMs, lastAtMs) < UNRECORDED_INTERVAL_MS) return false;
    const unrecordedMs = Math.min(HOUR_MS, nowMs - this.#recordedAtMs);
    return this.#sentAtMs.length + Math.floor(unrecordedMs / UNRECORDED_INTERVAL_MS) <= MESSAGES_MAX;
  }

  /** Counts a message that is about to be sent. */
  take(nowMs: number): void {
    this.#unrecordedAtMs.push(nowMs);
  }

  /** Uncounts the message of that time: it has reached nobody. */
  giveBack(atMs: number): void {
    for (const list of [this.#unrecordedAtMs, this.#sentAtMs]) {
      const index = list.lastIndexOf(atMs);
      if (index !== -1) {
        list.splice(index, 1);
        return;
      }
    }
  }

  /** To be called when all of `sentAtMs` was written to the file. */
  recorded(nowMs: number): void {
    this.#sentAtMs = [...this.sentAtMs];
    this.#unrecordedAtMs = [];
    this.#recordedAtMs = nowMs;
    this.#isRecording = true;
  }

  /** To be called when the file cannot be written. */
  unrecorded(): void {
    this.#isRecording = false;
  }
}
