import { FileStore } from './file-store.ts';
import { S3Store } from './s3-store.ts';
import type { ReplicaStore, StoreOptions } from './store.ts';

/** @returns the store of the replica */
export function openStore(options: StoreOptions): ReplicaStore {
  const { replica } = options.config;
  return replica.type === 'file' ? new FileStore(replica) : new S3Store(options, replica);
}
