import type { Trouble } from '../messages/messages.ts';

/** However many children fail at once: what is kept of them has to fit into the file of the state. */
const CONDITIONS_MAX = 40;
const CAUSE_MAX_CHARS = 300;
/** Away for so long is over; what comes and goes faster is one condition. */
const AWAY_MAX_MS = 60_000;
/** Between attempts to tell one: from, doubling each time, up to. */
const RETRY_MIN_MS = 10_000;
const RETRY_MAX_MS = 600_000;
/** The end of a condition that could not be told for so long interests nobody. */
const END_KEPT_MS = 24 * 3_600_000;

/** What is told at once: something has ended that does not come back by itself as if nothing had been. */
export interface Strike extends Trouble {
  readonly atMs: number;
}

/** One thing that is wrong, from when it was seen first; JSON. Times are milliseconds since the epoch. */
export interface Condition {
  readonly name: string;
  readonly cause: string;
  readonly sinceAtMs: number;
  readonly seenAtMs: number;
  /** When it was struck last; null for what is only seen. */
  readonly struckAtMs: number | null;
  /** Since when it is away while the system serves; null while it is not. */
  readonly awaySinceAtMs: number | null;
  readonly isTold: boolean;
  /** Attempts to tell what is due, without success. */
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
  /** Whether what is not seen is not there: before the system serves, that is not known yet. */
  readonly isServing: boolean;
}

/**
 * What is wrong, and what of it is to be told. A condition is: seen (`look`) → told (it has lasted, or was struck; `told`)
 * → away (`look` does not find it) → over (it stayed away) → gone (its end was told; or nothing of it ever was).
 */
export class Conditions {
  readonly #afterMs: number;
  #all = new Map<string, Condition>();

  /** @param afterMs how long one lasts before it is told, and how long one that was struck stays quiet before it is over */
  constructor(afterMs: number, kept: readonly Condition[], nowMs: number) {
    this.#afterMs = afterMs;
    for (const condition of kept.slice(0, CONDITIONS_MAX)) {
      // What nobody was told of and nobody has seen for a while begins anew.
      if (!condition.isTold && nowMs - condition.seenAtMs > this.#awayMs) continue;
      this.#all.set(condition.name, { ...condition, awaySinceAtMs: null });
    }
  }

  /** For the next process. */
  get kept(): readonly Condition[] {
    return [...this.#all.values()];
  }

  /** @returns whether anything has come, gone or turned */
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

  /** @returns what is to be told now, the oldest first */
  due(nowMs: number): readonly Due[] {
    return this.kept.flatMap((condition): Due[] => {
      if (nowMs < condition.nextAttemptAtMs) return [];
      if (condition.isTold) return this.#isOver(condition, nowMs) ? [{ kind: 'ended', condition }] : [];
      const isLasting = nowMs - condition.sinceAtMs >= this.#afterMs && condition.awaySinceAtMs === null;
      return isLasting || condition.struckAtMs !== null ? [{ kind: 'problem', condition }] : [];
    });
  }

  /** An attempt to tell begins: the next one waits, also that of another process. */
  attempt({ condition: { name } }: Due, nowMs: number): void {
    this.#change(name, ({ attempts }) => ({
      attempts: attempts + 1,
      nextAttemptAtMs: nowMs + Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** attempts),
    }));
  }

  /** It was told. */
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
      // The first cause stays until it is told: it is why, and those after it often what came of it.
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
    // What was struck is told, however late.
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
