import type { RequestRecord } from '../record.ts';

/** A client hears of a death a little earlier or later than the log tells of it. */
const SLACK_MS = 60;
/** On a busy machine it may take this long until a client hears that its connection is broken. */
const AFTERMATH_MS = 2000;

/** Who held which connections, by the client's port, just before a fault. */
export interface Holders {
  readonly victims: ReadonlySet<number>;
  readonly others: ReadonlySet<number>;
}

/** For a fault that comes by itself, so that nobody could look in time. */
export const UNKNOWN_HOLDERS: Holders = { victims: new Set(), others: new Set() };

/** What a failure may be blamed on. Times are milliseconds since the epoch. */
export interface Culprit {
  readonly faultMs: number;
  readonly diedMs: number;
  readonly holders: Holders;
}

/**
 * @returns the failed requests that no death explains: those that failed in another way than by a reset, were not
 *   under way when a worker died, or went over a connection of another worker
 */
export function failedElsewhere(
  records: readonly RequestRecord[],
  culprits: readonly Culprit[],
): RequestRecord[] {
  return records.filter(
    (record) => record.failure !== undefined && !culprits.some((culprit) => isExplainedBy(record, culprit)),
  );
}

function isExplainedBy(
  { failure, startMs, latencyMs, port }: RequestRecord,
  { faultMs, diedMs, holders }: Culprit,
): boolean {
  const endMs = startMs + latencyMs;
  if (failure !== 'reset' || endMs < faultMs - SLACK_MS || endMs > diedMs + AFTERMATH_MS) return false;
  if (port === undefined) return startMs <= diedMs + SLACK_MS;
  // Sent after the death, but before the client could know of it.
  if (holders.victims.has(port)) return true;
  // A connection that was handed over between the look and the fault.
  return startMs <= diedMs + SLACK_MS && !holders.others.has(port);
}
