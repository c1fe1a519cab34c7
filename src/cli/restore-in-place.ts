import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { readHistory } from '../replication/history/history.ts';
import { readMark } from '../replication/history/mark.ts';
import {
  finishReplacement,
  type ReplaceRequest,
  replaceDatabases,
  replacedFolder,
} from '../replication/history/replace.ts';
import { ReplicaListing } from '../replication/history/replica-listing.ts';
import { fileTime } from '../replication/leftovers.ts';
import { databasePath } from '../replication/litestream-config.ts';
import { readLastCommit } from '../replication/points/last-commit.ts';
import type { SystemReplica } from '../replication/replica-context.ts';
import { salvage } from '../replication/salvage/salvage.ts';
import { demandDatabases } from '../sqlite/data-dir.ts';
import { lockDataDir } from '../sqlite/lock.ts';
import { endOrphans } from '../supervisor/orphans.ts';
import { forgetMismatches } from '../supervisor/release/current.js';
import { releasesFolder } from '../supervisor/release/store.js';
import { HeldLead } from './held-lead.ts';
import type { CommandReplica } from './restore-context.ts';
import { type Point, type RestoreReport, restoreOne, shownCommit } from './restore-one.ts';

/** The result of an in-place restore. */
export interface Replaced {
  readonly reports: readonly RestoreReport[];
  /** The folder that the former files were moved to; undefined when there were none. */
  readonly movedTo: string | undefined;
}

/**
 * Replaces all databases of a system that does not run by those of the replica. Until each one is restored and checked,
 * nothing changes; then the former files are moved to `DATA_DIR/replaced/<UTC time>/`.
 *
 * @param from the replica to restore from: the one that the system goes on in, or an earlier one which that continues
 * @param point the newest state when undefined
 * @throws Failure data_dir_locked while a system runs; replica_in_use where another system led last; or as `restoreOne`
 */
export async function restoreInPlace(
  context: CommandReplica,
  from: SystemReplica,
  point: Point | undefined,
  signal: AbortSignal,
): Promise<Replaced> {
  const { DATA_DIR } = context.config;
  const lock = lockDataDir(DATA_DIR, 'restore');
  let lead: HeldLead | undefined;
  // A start removes this folder, if the restore is killed.
  const scratchDir = join(DATA_DIR, 'restore');
  try {
    demandDatabases(DATA_DIR, context.databases);
    // Processes that a killed primary has left behind still have the former files open.
    await endOrphans(DATA_DIR, context.log);
    if (context.isShared) lead = await HeldLead.take(context);
    finishReplacement(DATA_DIR, context.config.replica.url);
    rmSync(scratchDir, { recursive: true, force: true });
    mkdirSync(scratchDir, { mode: 0o700 });
    const reports: RestoreReport[] = [];
    for (const database of context.databases) {
      const outputPath = databasePath(scratchDir, database);
      const report = await restoreOne(from, { database, point, outputPath, scratchDir, signal });
      reports.push(point ? report : await withSalvaged(report, DATA_DIR, signal));
    }
    const movedTo = await install(context, scratchDir);
    forgetMismatches(releasesFolder(DATA_DIR));
    lead?.replaced();
    return {
      reports: reports.map((report) => ({ ...report, file: databasePath(DATA_DIR, report.database) })),
      movedTo,
    };
  } finally {
    rmSync(scratchDir, { recursive: true, force: true });
    await lead?.end();
    lock.release();
  }
}

/** The newest state is that of the replica, and newer commits from the WALs of the databases that are replaced. */
async function withSalvaged(
  report: RestoreReport,
  dataDir: string,
  signal: AbortSignal,
): Promise<RestoreReport> {
  const { database, file, note } = report;
  const count = await salvage({
    restoredPath: file,
    databasePath: databasePath(dataDir, database),
    abandoned: readMark(dataDir)?.databases[database]?.abandoned ?? [],
    signal,
  });
  if (count === 0) return report;
  const text = `${count} of its commits were not in the replica and came from the WAL of what was there before`;
  return {
    ...report,
    sizeBytes: statSync(file).size,
    lastCommit: shownCommit(readLastCommit(file)),
    note: note ? `${text}; ${note}` : text,
  };
}

/** Puts the databases in place, and records the decision, which the next start would else undo. */
async function install(
  { config, databases, env }: SystemReplica,
  scratchDir: string,
): Promise<string | undefined> {
  const { DATA_DIR, replica } = config;
  const nowMs = Date.now();
  const folder = replacedFolder(DATA_DIR, fileTime(nowMs));
  const requests: ReplaceRequest[] = [];
  for (const database of databases) {
    const from = databasePath(scratchDir, database);
    const cut = readHistory(from);
    const { names: generations } = await new ReplicaListing({ config, database, env }).states();
    const decidedBy = userInfo().username;
    const decision = { kind: 'restore', cut, dismissed: generations, decidedBy, atMs: nowMs } as const;
    requests.push({ database, from, folder, decision, generations, isBecauseAhead: false });
  }
  replaceDatabases(DATA_DIR, replica.url, requests);
  return existsSync(folder) ? folder : undefined;
}
