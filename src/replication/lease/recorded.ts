import type { Config } from '../../config/config.ts';
import type { Replica } from '../../config/replica-url.ts';
import type { CommitMark } from '../../messages/positions.ts';
import { sharedBy } from '../failover/epoch.ts';
import { abandons, contains, type History, type Position } from '../history/history.ts';
import type { DatabaseMark } from '../history/mark.ts';
import { isCoveredByDataDir } from './covered.ts';
import { openLeaseStore } from './open-store.ts';
import { parseRecord } from './record.ts';

/** What the owner of a replica has told of a database. */
export interface Recorded extends Position {
  /** As `LeaseRecord.data`. */
  readonly data: string;
  /** On the clock of the commits: until then none was made beyond that one. Undefined where nobody has told. */
  readonly completeUntilMs: number | undefined;
  /** The very last commit before its owner was stopped; undefined where nobody has told, or it may have gone on since. */
  readonly last: Position | undefined;
}

/**
 * @param env what `litestreamEnv` returned
 * @param timeoutMs how long the store may take: who restores waits for it anyway
 * @returns the newest commit of a database that the replica's owner has seen in the replica; undefined where no record
 *   tells, or none can be read now
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
    // That of systems that take over from each other is beside the folders of their epochs, and tells of one of them.
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
    // Who restores reads the replica next, and hears then what is wrong with it.
    return undefined;
  }
}

/** @returns which commits were in the replica and did not come out of it, for people; undefined where none is known */
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
