import type { Limit } from './trial.ts';

/** A limit with the measured value. */
export interface Finding extends Limit {
  /** Undefined when the trial did not get as far as measuring it. */
  readonly value: number | undefined;
  readonly holds: boolean;
}

/** Compares figures with limits. A limit whose figure was not measured does not hold. */
export function judge(limits: readonly Limit[], figures: Readonly<Record<string, number>>): Finding[] {
  return limits.map((limit) => {
    const value = figures[limit.figure];
    const holds =
      value !== undefined && value <= (limit.max ?? Infinity) && value >= (limit.min ?? -Infinity);
    return { ...limit, value, holds };
  });
}

/** @returns the finding in words, such as `recovery p99 312 ms, limit 250 ms` */
export function inWords({ figure, value, unit, max, min }: Finding): string {
  const found = value === undefined || Number.isNaN(value) ? 'not measured' : `${rounded(value)} ${unit}`;
  const limit = max === undefined ? `at least ${min}` : max === 0 ? 'none' : `${max} ${unit}`;
  return `${figure}: ${found}, limit ${limit}`;
}

/** @returns whether the limit may be exceeded only because the machine is slow or busy */
export function needsSpeed(limit: Limit): boolean {
  return limit.unit === 'ms' || limit.needsSpeed === true;
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10);
}
