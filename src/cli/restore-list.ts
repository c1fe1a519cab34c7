import { Failure } from '../platform/errors.ts';
import { epochOf } from '../replication/failover/epoch.ts';
import type { Generation } from '../replication/points/generations.ts';
import { listGenerations } from '../replication/points/generations.ts';
import { showStamp } from '../replication/points/stamp.ts';
import type { CommandReplica } from './restore-context.ts';
import { showBytes, showTable } from './sizes.ts';

interface Listed {
  /** The folder below the replica; empty: the replica itself. */
  readonly epoch: string;
  readonly database: string;
  readonly generations: readonly Generation[];
}

/**
 * @returns what the replica holds of each database
 * @throws Failure why it could not be read
 */
export async function listAll(
  replica: CommandReplica,
  databases: readonly string[],
  signal: AbortSignal,
): Promise<readonly Listed[]> {
  const listed: Listed[] = [];
  for (const database of databases) {
    const generations = await listGenerations({ ...replica, database, signal });
    listed.push({ epoch: replica.epoch, database, generations });
  }
  return listed;
}

/**
 * Prints what the replica can restore, per database and generation.
 * @throws Failure replica_empty when it has nothing at all, or why it could not be read
 */
export async function listRestorable(
  context: CommandReplica,
  databases: readonly string[],
  asJson: boolean,
  signal: AbortSignal,
): Promise<void> {
  const listed: Listed[] = [];
  for (const each of [...context.earlier].reverse()) listed.push(...(await listAll(each, databases, signal)));
  listed.push(...(await listAll(context, databases, signal)));
  if (listed.every(({ generations }) => generations.length === 0)) {
    throw new Failure(
      'replica_empty',
      `The replica ${context.config.replica.url} has nothing of ${databases.join(', ')}`,
    );
  }
  const hasEpochs = listed.some(({ epoch }) => epoch !== '');
  console.log(
    asJson
      ? JSON.stringify(
          listed.flatMap((each) => toJson(each, hasEpochs)),
          undefined,
          2,
        )
      : toTable(listed, hasEpochs),
  );
}

function toJson({ epoch, database, generations }: Listed, hasEpochs: boolean) {
  return generations.map(({ name, fromMs, toMs, snapshots, segments, sizeBytes }) => ({
    ...(hasEpochs && { epoch: epochOf(epoch) ?? null }),
    database,
    generation: name,
    from: fromMs === undefined ? null : showStamp(fromMs),
    to: fromMs === undefined ? null : showStamp(toMs),
    snapshots: snapshots.length,
    segments,
    sizeBytes,
  }));
}

function toTable(listed: readonly Listed[], hasEpochs: boolean): string {
  const rows = listed.flatMap(({ epoch, database, generations }) => {
    const place = hasEpochs ? [String(epochOf(epoch) ?? 'before')] : [];
    if (generations.length === 0) return [[...place, database, 'none', '', '', '', '', '']];
    return generations.map(({ name, fromMs, toMs, snapshots, segments, sizeBytes }) => [
      ...place,
      database,
      name,
      fromMs === undefined ? 'nothing' : showStamp(fromMs),
      fromMs === undefined ? 'restorable' : showStamp(toMs),
      String(snapshots.length),
      String(segments),
      showBytes(sizeBytes),
    ]);
  });
  const columns = ['database', 'generation', 'from', 'to', 'snapshots', 'segments', 'size'];
  return showTable(hasEpochs ? ['epoch', ...columns] : columns, rows);
}
