import { basename } from 'node:path';
import { isFileReplicaEmpty } from '../file-replica.ts';
import type { Replica } from '../replica-url.ts';
import { reasonIn, restoreFailure } from '../restore-failure.ts';
import { clarified } from './clarified.ts';
import { type Generation, GenerationCollector } from './generations.ts';
import { LtxCollector } from './ltx.ts';
import { type QueryOptions, query } from './query.ts';

export interface ListOptions extends QueryOptions {
  readonly replica: Replica;
}

/**
 * Lists what a replica holds of one database.
 * @returns its generations, the oldest first; none when the replica is there and has nothing of it
 * @throws Failure replica_unreachable, replica_denied, bucket_missing, replica_damaged, not_ready (aborted)
 */
export async function listGenerations(options: ListOptions): Promise<Generation[]> {
  const { replica, databasePath } = options;
  const database = basename(databasePath, '.db');
  if (replica.type === 'file' && isFileReplicaEmpty(replica, database)) return [];
  if (options.binary.format === 'ltx') return listLtx(options, database);
  const collector = new GenerationCollector();
  const complaints = [
    ...(await query('snapshots', options, ([, generation = '', index, sizeBytes, created = '']) => {
      const createdMs = Date.parse(created);
      if (Number.isNaN(createdMs)) return;
      collector.snapshot({ generation, index: Number(index), sizeBytes: Number(sizeBytes), createdMs });
    })),
    ...(await query('wal', options, ([, generation = '', index, offset, sizeBytes, created = '']) => {
      const createdMs = Date.parse(created);
      if (Number.isNaN(createdMs)) return;
      collector.segment({
        generation,
        index: Number(index),
        offset: Number(offset),
        sizeBytes: Number(sizeBytes),
        createdMs,
      });
    })),
  ];
  if (complaints.length > 0) throw clarified(restoreFailure(database, replica, reasonIn(complaints)));
  return collector.collected();
}

async function listLtx(options: ListOptions, database: string): Promise<Generation[]> {
  const collector = new LtxCollector();
  const complaints = await query('ltx', options, ([level, minTxid = '', , sizeBytes, created = '']) => {
    const createdMs = Date.parse(created);
    if (Number.isNaN(createdMs)) return;
    collector.file({ level: Number(level), minTxid, sizeBytes: Number(sizeBytes), createdMs });
  });
  if (complaints.length > 0) {
    throw clarified(restoreFailure(database, options.replica, reasonIn(complaints)));
  }
  return collector.collected();
}
