import type { RequestRecord } from '../record.ts';

/** A client may notice a death a little earlier or later than the log records it. */
const SLACK_MS = 60;
/** On a busy machine it may take this long until a client hears that its connection is broken. */
const AFTERMATH_MS = 2000;

/** The connections of the victims and of the other workers just before a fault, as the clients' ports. */
export interface Holders {
  readonly victims: ReadonlySet<number>;
  readonly others: ReadonlySet<number>;
}

/** For faults at whose moment the connections were not looked up. */
export const UNKNOWN_HOLDERS: Holders = { victims: new Set(), others: new Set() };

/** A death that may explain a failed request. Times are milliseconds since the epoch. */
export interface Culprit {
  readonly faultMs: number;
  readonly diedMs: number;
  readonly holders: Holders;
}

/**
 * @returns the failed requests that no death explains: they failed otherwise than by a reset, were not under way when a
 *   worker died, or used a connection of another worker
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
  // Also a request that was sent after the death, before the client could know of it.
  if (holders.victims.has(port)) return true;
  // The connection may have been handed over between the look and the fault.
  return startMs <= diedMs + SLACK_MS && !holders.others.has(port);
}
