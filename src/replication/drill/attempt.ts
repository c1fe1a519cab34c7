import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../platform/errors.ts';
import { type Database, openReader } from '../../sqlite/open.ts';
import { liveGeneration } from '../history/sidecar.ts';
import { databasePath } from '../litestream-config.ts';
import { type Restored, restoreDatabase } from '../restore.ts';
import { unreadable } from '../restore-failure.ts';
import { type Comparison, compare } from './compare.ts';
import type { DrillOptions } from './options.ts';

export interface Attempt extends Comparison {
  readonly restoredBytes: number;
}

/**
 * Restores one database into the drill's folder and compares it with the live one. A read transaction keeps the live
 * state from before the restore. It keeps the WAL from beginning anew, so the caller must limit how long this takes.
 *
 * @param folder empty
 * @throws Failure for what is wrong, apart from single rows; the signal's reason when aborted
 */
export async function attempt(
  database: string,
  folder: string,
  options: DrillOptions,
  signal: AbortSignal,
): Promise<Attempt> {
  const path = databasePath(options.config.DATA_DIR, database);
  const open: Database[] = [];
  const snapshot = () => {
    const db = openReader(path);
    open.push(db);
    db.exec('BEGIN');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  };
  try {
    const before = snapshot();
    await replicated(database, options, signal);
    const restoredPath = await restore(database, path, folder, options, signal);
    const after = snapshot();
    await options.tamper?.(database, restoredPath);
    const restoredBytes = statSync(restoredPath).size;
    return { ...(await compare({ before, after, restoredPath, signal })), restoredBytes };
  } finally {
    for (const db of open) db.close();
  }
}

async function replicated(database: string, options: DrillOptions, signal: AbortSignal): Promise<void> {
  const { whenReplicated, confirmTimeoutMs } = options;
  if (!whenReplicated) return;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (await Promise.race([whenReplicated(database, confirmTimeoutMs), aborted.promise])) return;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  const text = `what was committed ${Math.round(confirmTimeoutMs / 1000)} s ago is not in the replica yet`;
  const cause = await unreadable({ ...options, database, signal });
  throw new Failure('replication_timeout', cause ? `${text}. ${cause.message}` : text, { cause });
}

async function restore(
  database: string,
  path: string,
  folder: string,
  options: DrillOptions,
  signal: AbortSignal,
): Promise<string> {
  const { config, binary } = options;
  const generation = binary.format === 'wal' ? liveGeneration(path) : undefined;
  const outputPath = join(folder, `${database}.db`);
  const restored = await restoreDatabase({
    ...options,
    database,
    outputPath,
    scratchDir: folder,
    selection: { generation },
    check: 'integrity_check',
    signal,
  });
  if (!restored) {
    throw new Failure(
      'replica_empty',
      `the replica ${config.replica.url} has nothing of this database${generation === undefined ? '' : ` in the generation ${generation}`}`,
    );
  }
  demandSound(restored);
  return outputPath;
}

/** @throws Failure restore_failed where a part of the replica was missing or damaged */
export function demandSound({ faults }: Pick<Restored, 'faults'>): void {
  if (faults.length > 0) throw new Failure('restore_failed', `the replica is damaged: ${faults.join('; ')}`);
}
