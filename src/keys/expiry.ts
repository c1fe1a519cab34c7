import { isoTimeMs } from '../platform/iso-time.ts';

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d{1,5})([mhd])$/;

/** @returns the milliseconds of a duration such as `10m`, `12h` or `30d`; undefined for anything else */
export function durationMsOf(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  return unit === undefined ? undefined : Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
}

/**
 * @param text a duration from now, or an ISO 8601 date (its first moment, UTC), or an ISO 8601 time with its offset
 * @returns milliseconds since the epoch; undefined for any other text, and for a time in the past
 */
export function expiryAtMsOf(text: string, nowMs: number): number | undefined {
  const durationMs = durationMsOf(text);
  const atMs = durationMs === undefined ? isoTimeMs(text) : nowMs + durationMs;
  return atMs !== undefined && atMs > nowMs ? atMs : undefined;
}
