import { randomUUID } from 'node:crypto';
import { relative } from 'node:path';
import type { Commit } from '../../messages/positions.ts';
import { databasePath } from '../litestream-config.ts';
import type { Decision } from './decision.ts';
import { historyOrNone } from './history.ts';

/** A database went back in time: it lacks commits that it had before. The features have to hear of that once. */
export interface Rewind {
  /** Random. */
  readonly id: string;
  readonly database: string;
  readonly from: Commit;
  readonly to: Commit;
  /** The folder of the replaced files, relative to the data folder; it may not exist. */
  readonly folder: string;
}

/**
 * Call it while the old database is still in its place.
 *
 * @param folder where the old database will be moved
 * @param toldAtMs time of the last commit that the mark names; undefined where it names none
 * @returns undefined where no commit is given up
 */
export function rewindOf(
  dataDir: string,
  database: string,
  { abandoned, cut, atMs }: Decision,
  folder: string,
  toldAtMs: number | undefined,
): Rewind | undefined {
  if (abandoned.length === 0) return undefined;
  const { lastAtMs } = historyOrNone(databasePath(dataDir, database));
  return {
    id: randomUUID(),
    database,
    from: {
      ordinal: Math.max(...abandoned.map(({ lastOrdinal }) => lastOrdinal)),
      atMs: Math.max(lastAtMs, toldAtMs ?? 0) || atMs,
    },
    to: { ordinal: cut.last?.ordinal ?? 0, atMs: cut.lastAtMs },
    folder: relative(dataDir, folder),
  };
}
