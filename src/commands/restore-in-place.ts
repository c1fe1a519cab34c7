import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../errors.ts';
import { syncToDisk } from '../replication/files.ts';
import { fileTime, moveInto } from '../replication/leftovers.ts';
import { databasePath } from '../replication/litestream-config.ts';
import { lockDataDir } from '../sqlite/lock.ts';
import { endOrphans } from '../supervisor/orphans.ts';
import type { ReplicaContext } from './restore-context.ts';
import { type Point, type RestoreReport, restoreOne } from './restore-one.ts';

/** What an in-place restore did. */
export interface Replaced {
  readonly reports: readonly RestoreReport[];
  /** Where the files went that were there; undefined when there were none. */
  readonly movedTo: string | undefined;
}

/**
 * Replaces all databases of a system that does not run by what the replica holds. Until every one has been restored
 * and checked, nothing changes; then the old files go aside to `DATA_DIR/replaced/<UTC time>/`.
 *
 * @param point the newest state when undefined
 * @throws Failure data_dir_locked while a system runs, or as `restoreOne`
 */
export async function restoreInPlace(
  context: ReplicaContext,
  point: Point | undefined,
  signal: AbortSignal,
): Promise<Replaced> {
  const { DATA_DIR } = context.config;
  const lock = lockDataDir(DATA_DIR, 'restore');
  // The folder that a start clears away, should this be killed.
  const scratchDir = join(DATA_DIR, 'restore');
  try {
    // What a killed primary has left running still has the old files open.
    await endOrphans(DATA_DIR, context.log);
    rmSync(scratchDir, { recursive: true, force: true });
    mkdirSync(scratchDir, { mode: 0o700 });
    const reports: RestoreReport[] = [];
    for (const database of context.databases) {
      const outputPath = databasePath(scratchDir, database);
      reports.push(await restoreOne(context, { database, point, outputPath, scratchDir, signal }));
    }
    const movedTo = install(context, scratchDir);
    return {
      reports: reports.map((report) => ({ ...report, file: databasePath(DATA_DIR, report.database) })),
      movedTo,
    };
  } finally {
    rmSync(scratchDir, { recursive: true, force: true });
    lock.release();
  }
}

/** A crash in here leaves a database missing, and the next start restores it, in its newest state. */
function install({ config, databases }: ReplicaContext, scratchDir: string): string | undefined {
  const { DATA_DIR } = config;
  const folder = join(DATA_DIR, 'replaced', fileTime(Date.now()));
  try {
    const moved = databases.map((database) => {
      const isMoved = moveInto(folder, DATA_DIR, database);
      renameSync(databasePath(scratchDir, database), databasePath(DATA_DIR, database));
      syncToDisk(DATA_DIR);
      return isMoved;
    });
    return moved.includes(true) ? folder : undefined;
  } catch (error) {
    const where = existsSync(folder) ? `; what was there is in ${folder}` : '';
    throw new Failure(
      'restore_failed',
      `The restored databases could not all be put in their place (${(error as Error).message})${where}`,
      { cause: error },
    );
  }
}
