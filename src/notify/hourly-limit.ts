const HOUR_MS = 3_600_000;
const MESSAGES_MAX = 10;
/** Between messages that no file tells the next process of: so many that it can count them by the time alone. */
const UNRECORDED_INTERVAL_MS = HOUR_MS / MESSAGES_MAX;

export interface HourlyLimitOptions {
  /** When messages were sent, as the file tells it; milliseconds since the epoch. */
  readonly sentAtMs: readonly number[];
  /** When the file was written last; undefined when there is none. */
  readonly recordedAtMs: number | undefined;
  readonly nowMs: number;
}

/**
 * At most 10 messages an hour, over restarts. States: recording (each message is in the file before it is sent) ↔ unrecorded
 * (`recorded` and `unrecorded`: the file cannot be written). Unrecorded, a process waits for six minutes from its start
 * and from each message, and takes it that others have done so since the file was written: so time itself is the count.
 */
export class HourlyLimit {
  readonly #bornAtMs: number;
  #sentAtMs: number[];
  #recordedAtMs: number;
  #isRecording = true;
  /** Those that the file does not have. */
  #unrecordedAtMs: number[] = [];

  constructor({ sentAtMs, recordedAtMs, nowMs }: HourlyLimitOptions) {
    this.#bornAtMs = nowMs;
    // A time from the future is one of a clock that was wrong.
    this.#sentAtMs = sentAtMs.map((atMs) => Math.min(atMs, nowMs));
    this.#recordedAtMs = Math.min(recordedAtMs ?? 0, nowMs);
  }

  /** Whether the file has every message before it is sent. */
  get isRecording(): boolean {
    return this.#isRecording;
  }

  /** For the file. */
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

  /** A message is about to be sent. */
  take(nowMs: number): void {
    this.#unrecordedAtMs.push(nowMs);
  }

  /** The message that was to be sent at that time has reached nobody. */
  giveBack(atMs: number): void {
    for (const list of [this.#unrecordedAtMs, this.#sentAtMs]) {
      const index = list.lastIndexOf(atMs);
      if (index !== -1) {
        list.splice(index, 1);
        return;
      }
    }
  }

  /** The file has all of `sentAtMs`. */
  recorded(nowMs: number): void {
    this.#sentAtMs = [...this.sentAtMs];
    this.#unrecordedAtMs = [];
    this.#recordedAtMs = nowMs;
    this.#isRecording = true;
  }

  /** The file cannot be written. */
  unrecorded(): void {
    this.#isRecording = false;
  }
}
