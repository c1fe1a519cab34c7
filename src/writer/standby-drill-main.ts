import { linkSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import {
  type DatabaseDrill,
  type DrillResult,
  failedResult,
  resultOf,
  type Takeover,
} from '../messages/drill-result.ts';
import type { HeldRecord } from '../messages/positions.ts';
import { Failure } from '../platform/errors.ts';
import { findDamage } from '../replication/database-check.ts';
import { demandSound } from '../replication/drill/attempt.ts';
import { drillDir, rehearsedDir } from '../replication/drill/record.ts';
import { lackOfSpace } from '../replication/drill/space.ts';
import { readMirrorState } from '../replication/failover/mirror-state.ts';
import { contains, readHistory } from '../replication/history/history.ts';
import { type ReplicaInput, replicaOf, type SystemReplica } from '../replication/replica-context.ts';
import { mirrorDir } from '../replication/restore/mirrored.ts';
import { restoreDatabase } from '../replication/restore.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { tryOn } from './databases.ts';

const SPACE_WATCH_INTERVAL_MS = 1000;
/** When the mirror removes a file while its tree is being linked (ENOENT), the linking starts again; the most tries. */
const LINK_TRIES = 5;

export interface StandbyDrillInput extends ReplicaInput {
  /** Sizes of the databases at the last drill, by name. */
  readonly sizesBytes: Readonly<Record<string, number>>;
  /** Commits that the replica has at least; used with Litestream 0.5, which has no mirror: the store is restored. */
  readonly confirmed: HeldRecord['confirmed'];
}

/**
 * The process of one standby drill. It restores what a takeover would restore, measures how long that takes, and tries
 * this code's migrations on the result. There is no live database to compare with, so it compares with the commits that
 * the leader's record has confirmed.
 */
export async function run(runtime: Runtime): Promise<void> {
  // The processes that it starts inherit this priority.
  setPriority(constants.priority.PRIORITY_LOW);
  process.umask(0o077);
  const { config, log, send, standby } = runtime;
  const input = (await standby()) as StandbyDrillInput;
  const startMs = performance.now();
  const folder = drillDir(config.DATA_DIR);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(rehearsedDir(config.DATA_DIR), { recursive: true, mode: 0o700 });
  let result: DrillResult;
  try {
    result = await drill(input, runtime);
  } catch (error) {
    result = failedResult((error as Error).message, Date.now(), Math.round(performance.now() - startMs));
  }
  // The restored databases stay: the primary tries the rest of the code on them, and then removes them.
  send({ kind: 'drilled', result });
  log.flush(() => process.exit(0));
}

async function drill(input: StandbyDrillInput, runtime: Runtime): Promise<DrillResult> {
  const { config } = runtime;
  const startMs = performance.now();
  const { replica, confirmed } = sourceOf(input, runtime);
  const abort = new AbortController();
  const space = setInterval(() => {
    const lack = lackOfSpace(config.DATA_DIR, 0, config.DISK_RESERVE_MB);
    if (lack) abort.abort(new Failure('storage_full', `broken off: ${lack}`));
  }, SPACE_WATCH_INTERVAL_MS);
  try {
    const databases: Record<string, DatabaseDrill> = {};
    for (const database of input.databases) {
      const sizeBytes = input.sizesBytes[database] ?? 0;
      databases[database] = await drillOf(database, sizeBytes, confirmed, {
        ...replica,
        signal: abort.signal,
      });
    }
    const restoreMs = Object.values(databases).reduce((sum, { durationMs }) => sum + durationMs, 0);
    const restored = resultOf(databases, Date.now(), Math.round(performance.now() - startMs));
    const takeover: Takeover = {
      restoreMs,
      ...(restored.ok && (await trial(input.databases, config.DATA_DIR))),
    };
    return { ...restored, durationMs: Math.round(performance.now() - startMs), takeover };
  } finally {
    clearInterval(space);
  }
}

/** With Litestream 0.3 the source is the mirror as it is now: hard links, so that no file vanishes meanwhile. */
function sourceOf(input: StandbyDrillInput, { config, log }: Runtime) {
  const replica = replicaOf({ config, log }, input);
  if (input.litestream.format !== 'wal') return { replica, confirmed: input.confirmed };
  const state = readMirrorState(config.DATA_DIR);
  if (!state) throw new Failure('not_ready', 'nothing was mirrored yet');
  const path = join(drillDir(config.DATA_DIR), 'replica');
  linkTree(join(mirrorDir(config.DATA_DIR), state.folder), path);
  const mirrored: SystemReplica = {
    ...replica,
    config: { ...config, replica: { type: 'file', path, url: `file:${path}` } },
  };
  return { replica: mirrored, confirmed: state.confirmed };
}

function linkTree(from: string, to: string): void {
  for (let tries = 1; ; tries += 1) {
    try {
      rmSync(to, { recursive: true, force: true });
      mkdirSync(to, { mode: 0o700 });
      for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        const target = join(to, path.slice(from.length));
        if (entry.isDirectory()) mkdirSync(target, { recursive: true, mode: 0o700 });
        else if (!path.endsWith('.part')) linkSync(path, target);
      }
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === LINK_TRIES) throw error;
    }
  }
}

async function drillOf(
  database: string,
  sizeBytes: number,
  confirmed: HeldRecord['confirmed'],
  replica: SystemReplica,
): Promise<DatabaseDrill> {
  const { DATA_DIR, DISK_RESERVE_MB } = replica.config;
  const folder = drillDir(DATA_DIR);
  const outputPath = join(rehearsedDir(DATA_DIR), `${database}.db`);
  const startMs = performance.now();
  let durationMs = 0;
  const end = (reason?: string): DatabaseDrill => ({
    ok: reason === undefined,
    reason,
    durationMs: durationMs || Math.round(performance.now() - startMs),
    restoredBytes: reason === undefined ? statSync(outputPath).size : 0,
    rowsCompared: 0,
    rowsSkipped: 0,
  });
  try {
    const lack = lackOfSpace(DATA_DIR, sizeBytes, DISK_RESERVE_MB);
    if (lack) return end(`skipped: ${lack}`);
    const restored = await restoreDatabase({
      ...replica,
      database,
      outputPath,
      scratchDir: join(folder, 'scratch'),
    });
    durationMs = Math.round(performance.now() - startMs);
    if (!restored) return end('there is nothing of this database');
    demandSound(restored);
    const damage = await findDamage(outputPath, replica.signal, 'integrity_check');
    if (damage !== undefined) return end(`the restored database is damaged: ${damage}`);
    const { session, ordinal } = confirmed[database] ?? {};
    if (
      session !== undefined &&
      ordinal !== undefined &&
      !contains(readHistory(outputPath), { session, ordinal })
    )
      return end(
        `commit ${ordinal} of session ${session}, which the leader has confirmed, did not come out of it`,
      );
    return end();
  } catch (error) {
    return end(replica.signal?.aborted ? String(replica.signal.reason.message) : (error as Error).message);
  }
}

/** Tries this code on the restored databases. */
async function trial(databases: readonly string[], dataDir: string): Promise<Omit<Takeover, 'restoreMs'>> {
  try {
    await tryOn(rehearsedDir(dataDir), databases);
    return {};
  } catch (error) {
    const { message } = error as Error;
    return error instanceof Failure && error.code === 'migration_mismatch'
      ? { refusal: message }
      : { untried: message };
  }
}
