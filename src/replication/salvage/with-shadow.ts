import { constants, copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { openReader } from '../../sqlite/open.ts';
import type { Abandoned } from '../history/history.ts';
import { readSidecar } from '../history/sidecar.ts';
import { applyWal, salvage } from './salvage.ts';

export interface WithShadowOptions {
  /** A sound database that nobody writes, with its WAL and Litestream's files. It is not changed. */
  readonly databasePath: string;
  /** For the copy; nothing is there yet. */
  readonly copyPath: string;
  /** Commits that were given up. */
  readonly abandoned: readonly Abandoned[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a copy of a database and adds the commits that only Litestream's copies of its WAL have: they were on the disk
 * until the WAL was removed or cut.
 *
 * @returns whether there are such commits; if so, the copy is there, in one file
 * @throws Failure storage_full, or not_ready when aborted
 */
export async function copyWithShadow(options: WithShadowOptions): Promise<boolean> {
  const { databasePath, copyPath, abandoned, signal } = options;
  if (isContained(databasePath)) return false;
  mkdirSync(dirname(copyPath), { recursive: true, mode: 0o700 });
  let commits = 0;
  try {
    copyFileSync(databasePath, copyPath, constants.COPYFILE_FICLONE);
    if (existsSync(`${databasePath}-wal`)) applyWal(`${databasePath}-wal`, copyPath);
    commits = await salvage({ restoredPath: copyPath, databasePath, abandoned, signal });
    return commits > 0;
  } finally {
    if (commits === 0) rmSync(copyPath, { force: true });
  }
}

function isContained(path: string): boolean {
  const db = openReader(path);
  try {
    return readSidecar(db, 'wal')?.isContained !== false;
  } finally {
    db.close();
  }
}
