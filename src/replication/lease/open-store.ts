import type { Config } from '../../config/config.ts';
import { readMark } from '../history/mark.ts';
import { unmountedReason } from '../history/mount.ts';
import { FileStore } from '../store/file-store.ts';
import { openStore } from '../store/open.ts';
import { FolderLock } from './folder-lock.ts';
import { LeaseFile, type LeaseStore } from './store.ts';

/** A store that does not answer within this time counts as unreachable. */
const TIMEOUT_MS = 3000;
/** The same for a restore, which has to wait for a slow store anyway. */
export const PATIENT_TIMEOUT_MS = 10_000;

/**
 * @param env holds the credentials, or says where to get them
 * @param timeoutMs how long to wait for an answer
 * @returns the store of a replica's record
 */
export function openLeaseStore(
  config: Config,
  env: NodeJS.ProcessEnv,
  timeoutMs: number = TIMEOUT_MS,
): LeaseStore {
  const { replica } = config;
  if (replica.type === 's3')
    return new LeaseFile(openStore({ config, env, timeoutMs }), {
      takesNoConditions: config.FAILOVER === 'off',
    });
  const store = new FileStore(replica);
  const awayBecause = () => unmountedReason(readMark(config.DATA_DIR), replica);
  return new LeaseFile(store, { lock: new FolderLock(replica.path, store, awayBecause) });
}
