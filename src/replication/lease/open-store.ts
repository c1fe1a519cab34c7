import { join } from 'node:path';
import type { Config } from '../../config.ts';
import type { Secrets } from '../../secrets.ts';
import { readMark } from '../history/mark.ts';
import { unmountedReason } from '../history/mount.ts';
import type { LeaseStore } from './store.ts';

/** @returns whether the replica needs no owner: it is within the data folder, whose lock covers it, as without REPLICA_URL */
export function isCoveredByDataDir({ DATA_DIR, replica }: Pick<Config, 'DATA_DIR' | 'replica'>): boolean {
  return replica.type === 'file' && replica.path === join(DATA_DIR, 'replica');
}

/** @returns the place of the record of a replica. A start waits for this: only the code is loaded that is needed */
export async function openLeaseStore(config: Config, credentials: Secrets): Promise<LeaseStore> {
  const { replica } = config;
  if (replica.type === 'file') {
    const { FileLeaseStore } = await import('./file-store.ts');
    return new FileLeaseStore(replica.path, () => unmountedReason(readMark(config.DATA_DIR), replica));
  }
  const { S3LeaseStore } = await import('./s3-store.ts');
  return new S3LeaseStore(config, replica, credentials);
}
