import { basename } from 'node:path';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import { listReplicaFiles } from '../restore/replica-files.ts';
import { reasonIn, restoreFailure } from '../restore-failure.ts';
import { isFileReplicaEmpty } from '../store/file-replica.ts';
import { clarified } from './clarified.ts';
import { type Generation, GenerationCollector } from './generations.ts';
import { LtxCollector } from './ltx.ts';
import { type QueryOptions, query } from './query.ts';

export interface ListOptions extends QueryOptions {
  readonly config: Config;
}

/**
 * Lists what a replica holds of one database.
 * @returns its generations, the oldest first; none when the replica is there and has nothing of it
 * @throws Failure replica_unreachable, replica_denied, bucket_missing, replica_damaged, not_ready (aborted)
 */
export async function listGenerations(options: ListOptions): Promise<Generation[]> {
  const { config, databasePath } = options;
  const { replica } = config;
  const database = basename(databasePath, '.db');
  if (replica.type === 'file' && isFileReplicaEmpty(replica, database)) return [];
  if (options.binary.format === 'ltx') return listLtx(options, database);
  const collector = new GenerationCollector();
  const { env, stallTimeoutMs, signal } = options;
  const files = await listReplicaFiles({ config, database, env, stallTimeoutMs, signal }).catch((error) => {
    throw error instanceof Failure ? clarified(error) : error;
  });
  for (const { name: generation, snapshots, segments } of files) {
    for (const { storedMs, ...row } of snapshots) {
      collector.snapshot({ ...row, generation, createdMs: storedMs });
    }
    for (const { storedMs, ...row } of segments) {
      collector.segment({ ...row, generation, createdMs: storedMs });
    }
  }
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
    throw clarified(restoreFailure(database, options.config.replica, reasonIn(complaints)));
  }
  return collector.collected();
}
