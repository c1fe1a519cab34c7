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
 * @param from where they come from: what the system that is to go on with them goes on in, or what that was the continuation of
 * @param point the newest state when undefined
 * @throws Failure data_dir_locked while a system runs; replica_in_use at another than the last leader of two; or as `restoreOne`
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
  // The folder that a start clears away, should this be killed.
  const scratchDir = join(DATA_DIR, 'restore');
  try {
    demandDatabases(DATA_DIR, context.databases);
    // What a killed primary has left running still has the old files open.
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

/** The newest state is what the replica has, and what goes on from there in the WALs of what is to be replaced. */
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

/** Puts them in their places, and writes down what was decided by that: else the next start would undo it. */
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
