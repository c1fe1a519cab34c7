import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Replica } from '../../config/replica-url.ts';
import { containsFile, errorCode } from '../files.ts';
import { replicaPath } from '../litestream-config.ts';
import { replicaUnreachable } from './unreachable.ts';

type FileReplica = Extract<Replica, { readonly type: 'file' }>;

/**
 * Litestream takes a folder that is not there for a replica that is empty. When the disk with the replica is not
 * mounted, that would start an empty system beside a good backup: so whether it is there is looked at first.
 *
 * @param database its name without `.db`
 * @returns whether there is anything of this database
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
 * @throws Failure replica_unreachable when it cannot be read, or the one that it is in is missing
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
