import type { Config } from '../../config/config.ts';
import type { Replica } from '../../config/replica-url.ts';
import type { CommitMark } from '../../messages/positions.ts';
import { sharedBy } from '../failover/epoch.ts';
import { abandons, contains, type History, type Position } from '../history/history.ts';
import type { DatabaseMark } from '../history/mark.ts';
import { isCoveredByDataDir } from './covered.ts';
import { openLeaseStore } from './open-store.ts';
import { parseRecord } from './record.ts';

/** What the owner's record says of a database: its newest commit that was seen in the replica. */
export interface Recorded extends Position {
  /** As `LeaseRecord.data`. */
  readonly data: string;
  /** On the writer's clock: until then no commit was made beyond the position. Undefined where the record has none. */
  readonly completeUntilMs: number | undefined;
  /** The very last commit before the owner was stopped; undefined where the record has none, or is not released. */
  readonly last: Position | undefined;
}

/**
 * @param env what `litestreamEnv` returned
 * @param timeoutMs how long the store may take; longer for a restore, which waits for it anyway
 * @returns the newest commit of a database that the owner saw in the replica; undefined where no record tells it, or
 *   none can be read now
 */
export async function readRecorded(
  config: Config,
  env: NodeJS.ProcessEnv,
  database: string,
  timeoutMs?: number,
): Promise<Recorded | undefined> {
  if (isCoveredByDataDir(config)) return undefined;
  const read = async (replica: Replica) => {
    const store = openLeaseStore({ ...config, replica }, env, timeoutMs);
    return parseRecord((await store.read())?.text ?? '');
  };
  try {
    // Two systems have one record, beside the folders of their epochs. It tells only of the epoch that `data` names.
    const shared = sharedBy(config.replica);
    const ofAll = shared && (await read(shared.replica));
    if (ofAll && ofAll.data !== shared?.folder) return undefined;
    const record = ofAll ?? (await read(config.replica));
    const confirmed = positionOf(record?.confirmed?.[database]);
    if (!record || !confirmed) return undefined;
    const untilMs = record.completeUntilMs?.[database];
    return {
      ...confirmed,
      data: record.data,
      completeUntilMs: Number.isSafeInteger(untilMs) ? untilMs : undefined,
      last: record.state === 'released' ? positionOf(record.last?.[database]) : undefined,
    };
  } catch {
    // The caller reads the replica next, and then gets the reason.
    return undefined;
  }
}

/** @returns which commits the record names and the restored database lacks, for people; undefined if none is known */
export function lostSince(
  recorded: Position | undefined,
  restored: History,
  mark: DatabaseMark | undefined,
): string | undefined {
  const abandoned = [...restored.abandoned, ...(mark?.abandoned ?? [])];
  if (!recorded || contains(restored, recorded) || abandons({ abandoned }, recorded)) return undefined;
  const end = restored.last?.ordinal ?? 0;
  const from = Math.min(recorded.ordinal, end + 1);
  return `its owner's record names commits ${from} to ${recorded.ordinal} of session ${recorded.session} as replicated, and they are not there any more`;
}

function positionOf({ session, ordinal }: Partial<CommitMark> = {}): Position | undefined {
  if (typeof session !== 'string' || !Number.isSafeInteger(ordinal)) return undefined;
  return { session, ordinal: ordinal as number };
}
