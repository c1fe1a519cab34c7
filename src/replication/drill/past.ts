import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { PastDrill, PastKind } from '../../messages/drill-result.ts';
import { Failure } from '../../platform/errors.ts';
import { historyOrNone, readHistory, relate } from '../history/history.ts';
import { liveGeneration } from '../history/sidecar.ts';
import { databasePath } from '../litestream-config.ts';
import { bytesToRead } from '../points/attempts.ts';
import { type Generation, listGenerations, rangeOf } from '../points/generations.ts';
import { restorePoint } from '../points/restore-point.ts';
import { restoreDatabase } from '../restore.ts';
import { demandSound } from './attempt.ts';
import type { DrillOptions } from './options.ts';
import { drillDir } from './record.ts';
import { databaseSizeBytes, lackOfSpace } from './space.ts';

const MB = 1024 * 1024;
/** Damage that ends when the retention removes the objects. */
const DAMAGED = new Set<Failure['code']>(['restore_failed', 'replica_damaged']);
/** Litestream removes what is due at least this often. */
const RETENTION_CHECK_MS = 3_600_000;
const OUTSIDE = new Set<Failure['code']>(['restore_too_early', 'restore_too_late']);

/**
 * Proves that a past state can be restored, too: the result is in one piece, passes integrity_check, and is a part of
 * the live database's history. A database that would read more than DRILL_MAX_MB is left out.
 *
 * @param random from 0 to 1; chooses the time
 */
export async function drillPast(kind: PastKind, options: DrillOptions, random: number): Promise<PastDrill> {
  const restored: Record<string, string> = {};
  const reasons: string[] = [];
  const folder = drillDir(options.config.DATA_DIR);
  for (const database of options.databases) {
    try {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { mode: 0o700 });
      restored[database] = await restorePast(kind, database, folder, options, random);
    } catch (error) {
      const { message } = error as Error;
      // The replica is young, or its store's clock differs.
      if (error instanceof Failure && OUTSIDE.has(error.code)) {
        restored[database] = `left out: ${message}`;
        continue;
      }
      reasons.push(`${database}: of the past: ${message}`);
      restored[database] = message;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return { kind, atMs: Date.now(), reason: reasons.length === 0 ? undefined : reasons.join('; '), restored };
}

/** @returns what was restored, or why it was left out. @throws Failure for what is wrong */
async function restorePast(
  kind: PastKind,
  database: string,
  folder: string,
  options: DrillOptions,
  random: number,
): Promise<string> {
  const { config } = options;
  const path = databasePath(config.DATA_DIR, database);
  const generations = await listGenerations({ ...options, database });
  const range = rangeOf(generations);
  if (!range) throw new Failure('replica_empty', 'there is nothing in the replica');
  const atMs = kind === 'time' ? Math.round(range.fromMs + random * (range.toMs - range.fromMs)) : undefined;
  const live = generations.find(({ name }) => name === liveGeneration(path)) ?? generations.at(-1);
  const sizeBytes = (atMs === undefined ? oldestBytes(live) : bytesToRead(generations, atMs)) ?? 0;
  if (sizeBytes > config.DRILL_MAX_MB * MB) {
    return `left out: ${Math.ceil(sizeBytes / MB)} MB would have to be read, more than DRILL_MAX_MB`;
  }
  const lack = lackOfSpace(config.DATA_DIR, databaseSizeBytes(path) + sizeBytes, config.DISK_RESERVE_MB);
  if (lack) return `left out: ${lack}`;
  const outputPath = join(folder, `${database}.db`);
  const target = { ...options, database, outputPath, scratchDir: folder };
  const check = 'integrity_check';
  try {
    const reached =
      atMs === undefined
        ? await restoreDatabase({
            ...target,
            check,
            selection: { generation: live?.name, isFromOldest: true },
          })
        : await restorePoint({ ...target, check, atMs });
    if (!reached) throw new Failure('replica_empty', 'there is nothing in the replica');
    demandSound(reached);
  } catch (error) {
    // The damaged objects are no newer than this.
    const damagedMs = atMs ?? live?.snapshots[1]?.createdMs ?? Date.now();
    throw endingBy(error, damagedMs + config.REPLICA_RETENTION_MS + RETENTION_CHECK_MS);
  }
  const history = readHistory(outputPath);
  const relation = relate(historyOrNone(path), history);
  if (relation === 'behind' || relation === 'fork') {
    throw new Failure('drill_failed', `commit ${history.last?.ordinal} is none of the live database's`);
  }
  return `as of commit ${history.last?.ordinal ?? 0}`;
}

/** @returns the error, with the time by which the retention has removed the damaged objects */
function endingBy(error: unknown, untilMs: number): unknown {
  if (!(error instanceof Failure) || !DAMAGED.has(error.code)) return error;
  const text = `${error.message}. The newest state was restored; this of the past ends by itself when it is older than REPLICA_RETENTION_MS, by ${new Date(untilMs).toISOString()}`;
  return new Failure(error.code, text, { cause: error });
}

function oldestBytes(generation: Generation | undefined): number | undefined {
  const [oldest, next] = generation?.snapshots ?? [];
  return oldest && oldest.sizeBytes + oldest.walBytes - (next?.walBytes ?? 0);
}
