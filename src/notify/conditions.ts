import type { Trouble } from '../messages/messages.ts';

/** Most conditions that are kept: they must fit into the state file, however many children fail at once. */
const CONDITIONS_MAX = 40;
const CAUSE_MAX_CHARS = 300;
/** A condition that is away for this long (or the time of `afterMs`, if shorter) is over. A shorter absence is none. */
const AWAY_MAX_MS = 60_000;
/** The pause between attempts to send a message doubles from the minimum to the maximum. */
const RETRY_MIN_MS = 10_000;
const RETRY_MAX_MS = 600_000;
/** When the end of a condition could not be sent for this long, it is dropped. */
const END_KEPT_MS = 24 * 3_600_000;

/** A problem that is sent at once, because it does not simply pass by itself: a takeover, the death of a primary, … */
export interface Strike extends Trouble {
  readonly atMs: number;
}

/** One problem, from its first sight on; stored as JSON. Times are milliseconds since the epoch. */
export interface Condition {
  readonly name: string;
  readonly cause: string;
  readonly sinceAtMs: number;
  readonly seenAtMs: number;
  /** The time of its last strike; null when there was none. */
  readonly struckAtMs: number | null;
  /** Since when it has been away while the system serves; null while it is not away. */
  readonly awaySinceAtMs: number | null;
  readonly isTold: boolean;
  /** Number of attempts to send the message that is due, without success. */
  readonly attempts: number;
  readonly nextAttemptAtMs: number;
}

/** One message that is due. */
export interface Due {
  readonly kind: 'problem' | 'ended';
  readonly condition: Condition;
}

/** What was seen at one moment. */
export interface Look {
  readonly nowMs: number;
  readonly troubles: readonly Trouble[];
  readonly strikes: readonly Strike[];
  /** Whether the absence of a problem means that it is over: before the system serves, that is not known yet. */
  readonly isServing: boolean;
}

/**
 * The problems of the system, and which of them to report to the operator.
 *
 * States of a condition: seen (`look`) → told (`told`: it has lasted, or was struck) → away (`look` does not find it) →
 * over (it stayed away) → gone (its end was told). A condition that was never told goes from over to gone directly.
 */
export class Conditions {
  readonly #afterMs: number;
  #all = new Map<string, Condition>();

  /**
   * @param afterMs how long a condition lasts before it is told; and how long after its last strike it can be over
   * @param kept the conditions of the process before
   */
  constructor(afterMs: number, kept: readonly Condition[], nowMs: number) {
    this.#afterMs = afterMs;
    for (const condition of kept.slice(0, CONDITIONS_MAX)) {
      // A condition that was not told, and not seen for a while, starts again.
      if (!condition.isTold && nowMs - condition.seenAtMs > this.#awayMs) continue;
      this.#all.set(condition.name, { ...condition, awaySinceAtMs: null });
    }
  }

  /** The conditions to be stored for the next process. */
  get kept(): readonly Condition[] {
    return [...this.#all.values()];
  }

  /** Takes in what was seen. @returns whether any condition has come, gone or changed */
  look({ nowMs, troubles, strikes, isServing }: Look): boolean {
    const before = JSON.stringify(this.kept.map(({ seenAtMs: _seen, ...rest }) => rest));
    for (const { name, reason } of joined(troubles)) this.#see(name, reason, nowMs, null);
    for (const { name, reason, atMs } of strikes) this.#see(name, reason, nowMs, Math.min(atMs, nowMs));
    const seen = new Set([...troubles, ...strikes].map(({ name }) => name));
    for (const condition of this.#all.values()) {
      if (seen.has(condition.name)) continue;
      const awaySinceAtMs = isServing ? (condition.awaySinceAtMs ?? nowMs) : null;
      const next = { ...condition, awaySinceAtMs };
      if (this.#isForgotten(next, nowMs)) this.#all.delete(condition.name);
      else this.#all.set(condition.name, next);
    }
    return JSON.stringify(this.kept.map(({ seenAtMs: _seen, ...rest }) => rest)) !== before;
  }

  /** @returns the messages that are due now, the oldest condition first */
  due(nowMs: number): readonly Due[] {
    return this.kept.flatMap((condition): Due[] => {
      if (nowMs < condition.nextAttemptAtMs) return [];
      if (condition.isTold) return this.#isOver(condition, nowMs) ? [{ kind: 'ended', condition }] : [];
      const isLasting = nowMs - condition.sinceAtMs >= this.#afterMs && condition.awaySinceAtMs === null;
      return isLasting || condition.struckAtMs !== null ? [{ kind: 'problem', condition }] : [];
    });
  }

  /** Records that an attempt to send begins: the next attempt waits, also one of another process. */
  attempt({ condition: { name } }: Due, nowMs: number): void {
    this.#change(name, ({ attempts }) => ({
      attempts: attempts + 1,
      nextAttemptAtMs: nowMs + Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** attempts),
    }));
  }

  /** Records that the message was sent. */
  told({ kind, condition: { name } }: Due): void {
    if (kind === 'ended') this.#all.delete(name);
    else this.#change(name, () => ({ isTold: true, attempts: 0, nextAttemptAtMs: 0 }));
  }

  get #awayMs(): number {
    return Math.min(this.#afterMs, AWAY_MAX_MS);
  }

  #see(name: string, cause: string, nowMs: number, struckAtMs: number | null): void {
    const known = this.#all.get(name);
    if (!known && this.#all.size >= CONDITIONS_MAX) return;
    this.#all.set(name, {
      sinceAtMs: struckAtMs ?? nowMs,
      isTold: false,
      attempts: 0,
      nextAttemptAtMs: 0,
      ...known,
      name,
      // The first cause stays until it is told: later ones are often only its consequences.
      cause: known && !known.isTold ? known.cause : cause.slice(0, CAUSE_MAX_CHARS),
      seenAtMs: nowMs,
      struckAtMs: struckAtMs ?? known?.struckAtMs ?? null,
      awaySinceAtMs: null,
    });
  }

  #change(name: string, change: (condition: Condition) => Partial<Condition>): void {
    const known = this.#all.get(name);
    if (known) this.#all.set(name, { ...known, ...change(known) });
  }

  #isOver({ awaySinceAtMs, struckAtMs }: Condition, nowMs: number): boolean {
    if (awaySinceAtMs === null || nowMs - awaySinceAtMs < this.#awayMs) return false;
    return struckAtMs === null || nowMs - struckAtMs >= this.#afterMs;
  }

  #isForgotten(condition: Condition, nowMs: number): boolean {
    if (!this.#isOver(condition, nowMs)) return false;
    // A strike is told, however late.
    if (!condition.isTold) return condition.struckAtMs === null;
    return nowMs - condition.awaySinceAtMs! > END_KEPT_MS;
  }
}

/** Two troubles of one name are one condition. */
function joined(troubles: readonly Trouble[]): readonly Trouble[] {
  const reasons = new Map<string, string>();
  for (const { name, reason } of troubles) {
    const before = reasons.get(name);
    reasons.set(name, before === undefined ? reason : `${before}; ${reason}`);
  }
  return [...reasons].map(([name, reason]) => ({ name, reason }));
}
