import type { AppConfig } from '../../../contract/settings.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * When the alerts of a date are due: at DELIVERY_HOUR of that date in TIMEZONE. Nothing of it is kept with an alert, so
 * that a change of either holds for every alert that is not sent yet.
 */
export class DeliveryClock {
  readonly timeZone: string;
  readonly #hour: string;
  readonly #format: Intl.DateTimeFormat;
  #todayMinute = Number.NaN;
  #today = '';

  constructor({ DELIVERY_HOUR, TIMEZONE }: Pick<AppConfig, 'DELIVERY_HOUR' | 'TIMEZONE'>) {
    this.#hour = DELIVERY_HOUR;
    this.timeZone = TIMEZONE;
    this.#format = new Intl.DateTimeFormat('en-US-u-ca-iso8601-nu-latn', {
      timeZone: TIMEZONE,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
  }

  /** @returns the date there, as YYYY-MM-DD; cheap enough for every request */
  today(nowMs: number): string {
    // No zone's day begins within a minute.
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#todayMinute) {
      this.#today = new Date(this.#localMs(nowMs)).toISOString().slice(0, 10);
      this.#todayMinute = minute;
    }
    return this.#today;
  }

  /** @returns the newest date whose alerts are due */
  dueThrough(nowMs: number): string {
    let date = this.today(nowMs);
    while (this.dueAtMs(date) > nowMs) {
      date = new Date(Date.parse(`${date}T00:00:00Z`) - DAY_MS).toISOString().slice(0, 10);
    }
    return date;
  }

  /**
   * @returns when the alerts of a date are due. An hour that the clocks skip is as much later as they skip, and of one
   *   that they repeat it is the first: as RFC 5545 3.3.5 has it
   */
  dueAtMs(date: string): number {
    const localMs = Date.parse(`${date}T${this.#hour}:00Z`);
    // What holds the day before and the day after is all that can hold at that hour.
    const before = localMs - this.#offsetMs(localMs - DAY_MS);
    const after = localMs - this.#offsetMs(localMs + DAY_MS);
    const right = [before, after].filter((ms) => this.#localMs(ms) === localMs);
    return right.length > 0 ? Math.min(...right) : before;
  }

  #offsetMs(ms: number): number {
    return this.#localMs(ms) - Math.floor(ms / 1000) * 1000;
  }

  /** What the clocks there show, as if it were UTC; to the second. */
  #localMs(ms: number): number {
    const at = Object.fromEntries(
      this.#format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]),
    );
    return Date.UTC(at.year!, at.month! - 1, at.day, at.hour, at.minute, at.second);
  }
}
