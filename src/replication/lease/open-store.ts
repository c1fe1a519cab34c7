import type { Config } from '../../config.ts';
import { readMark } from '../history/mark.ts';
import { unmountedReason } from '../history/mount.ts';
import { openStore } from '../store/open.ts';
import { FileLeaseStore } from './file-store.ts';
import { S3LeaseStore } from './s3-store.ts';
import type { LeaseStore } from './store.ts';

/** A store that says nothing for so long is out of reach. */
const TIMEOUT_MS = 3000;

/**
 * @param env holds the credentials, or tells where they are to be had
 * @param timeoutMs how long it waits for an answer
 * @returns the place of the record of a replica
 */
export function openLeaseStore(
  config: Config,
  env: NodeJS.ProcessEnv,
  timeoutMs: number = TIMEOUT_MS,
): LeaseStore {
  const { replica } = config;
  if (replica.type === 'file')
    return new FileLeaseStore(replica, () => unmountedReason(readMark(config.DATA_DIR), replica));
  return new S3LeaseStore(openStore({ config, env, timeoutMs }));
}
