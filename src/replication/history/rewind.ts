import { randomUUID } from 'node:crypto';
import { relative } from 'node:path';
import type { Commit } from '../../messages/positions.ts';
import { databasePath } from '../litestream-config.ts';
import type { Decision } from './decision.ts';
import { historyOrNone } from './history.ts';

/** A database has gone back in time: it is without commits that it had, which the features have to hear of once. */
export interface Rewind {
  /** Random. */
  readonly id: string;
  readonly database: string;
  readonly from: Commit;
  readonly to: Commit;
  /** Below the data folder: what was replaced, as far as there was anything. */
  readonly folder: string;
}

/**
 * @param folder where that goes what is in the database's place still
 * @param toldAtMs when the last commit was that is remembered of it; undefined where nothing is
 * @returns undefined where nothing is given up
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
