import { Failure } from '../errors.ts';
import { databasePath } from '../replication/litestream-config.ts';
import type { Generation } from '../replication/points/generations.ts';
import { listGenerations } from '../replication/points/list.ts';
import { showStamp } from '../replication/points/stamp.ts';
import { STALL_TIMEOUT_MS } from '../replication/restore.ts';
import type { ReplicaContext } from './restore-context.ts';
import { showBytes, showTable } from './sizes.ts';

interface Listed {
  readonly database: string;
  readonly generations: readonly Generation[];
}

/**
 * @returns what the replica holds of each database
 * @throws Failure why it could not be read
 */
export async function listAll(
  { config, binary, configPath, env }: ReplicaContext,
  databases: readonly string[],
  signal: AbortSignal,
): Promise<readonly Listed[]> {
  const listed: Listed[] = [];
  for (const database of databases) {
    const generations = await listGenerations({
      binary,
      configPath,
      env,
      databasePath: databasePath(config.DATA_DIR, database),
      config,
      stallTimeoutMs: STALL_TIMEOUT_MS,
      signal,
    });
    listed.push({ database, generations });
  }
  return listed;
}

/**
 * Prints what the replica can restore, per database and generation.
 * @throws Failure replica_empty when it has nothing at all, or why it could not be read
 */
export async function listRestorable(
  context: ReplicaContext,
  databases: readonly string[],
  asJson: boolean,
  signal: AbortSignal,
): Promise<void> {
  const listed = await listAll(context, databases, signal);
  if (listed.every(({ generations }) => generations.length === 0)) {
    throw new Failure(
      'replica_empty',
      `The replica ${context.config.replica.url} has nothing of ${databases.join(', ')}`,
    );
  }
  console.log(asJson ? JSON.stringify(listed.flatMap(toJson), undefined, 2) : toTable(listed));
}

function toJson({ database, generations }: Listed) {
  return generations.map(({ name, fromMs, toMs, snapshots, segments, sizeBytes }) => ({
    database,
    generation: name,
    from: fromMs === undefined ? null : showStamp(fromMs),
    to: fromMs === undefined ? null : showStamp(toMs),
    snapshots: snapshots.length,
    segments,
    sizeBytes,
  }));
}

function toTable(listed: readonly Listed[]): string {
  const rows = listed.flatMap(({ database, generations }) => {
    if (generations.length === 0) return [[database, 'none', '', '', '', '', '']];
    return generations.map(({ name, fromMs, toMs, snapshots, segments, sizeBytes }) => [
      database,
      name,
      fromMs === undefined ? 'nothing' : showStamp(fromMs),
      fromMs === undefined ? 'restorable' : showStamp(toMs),
      String(snapshots.length),
      String(segments),
      showBytes(sizeBytes),
    ]);
  });
  return showTable(['database', 'generation', 'from', 'to', 'snapshots', 'segments', 'size'], rows);
}
