import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Replica } from '../../config/replica-url.ts';
import { containsFile, errorCode } from '../files.ts';
import { replicaPath } from '../litestream-config.ts';
import { replicaUnreachable } from './unreachable.ts';

type FileReplica = Extract<Replica, { readonly type: 'file' }>;

/**
 * Litestream takes a missing folder for an empty replica. If the replica's disk is not mounted, an empty system would
 * start beside a good backup. So this checks first that the folder above the replica is there.
 *
 * @param database its name without `.db`
 * @returns whether the replica has nothing of this database
 * @throws Failure replica_unreachable when the folder that should hold the replica is missing or unreadable
 */
export function isFileReplicaEmpty(replica: FileReplica, database: string): boolean {
  if (!demandReplicaFolder(replica)) return true;
  const path = replicaPath(replica, database);
  try {
    return !containsFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    throw replicaUnreachable(replica, error);
  }
}

/**
 * @returns whether the folder of a replica is there
 * @throws Failure replica_unreachable when it cannot be read, or the folder above it is missing
 */
export function demandReplicaFolder(replica: FileReplica): boolean {
  const parent = dirname(replica.path);
  try {
    if (!statSync(parent).isDirectory()) throw new Error(`${parent} is not a folder`);
  } catch (error) {
    throw replicaUnreachable(replica, error);
  }
  try {
    readdirSync(replica.path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw replicaUnreachable(replica, error);
  }
}
