import type { Config } from '../../config/config.ts';
import { readMark } from '../history/mark.ts';
import { unmountedReason } from '../history/mount.ts';
import { FileStore } from '../store/file-store.ts';
import { openStore } from '../store/open.ts';
import { FolderLock } from './folder-lock.ts';
import { LeaseFile, type LeaseStore } from './store.ts';

/** A store that says nothing for so long is out of reach. */
const TIMEOUT_MS = 3000;
/** The same for who restores, and waits for a slow store anyway. */
export const PATIENT_TIMEOUT_MS = 10_000;

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
  if (replica.type === 's3')
    return new LeaseFile(openStore({ config, env, timeoutMs }), {
      takesNoConditions: config.FAILOVER === 'off',
    });
  const store = new FileStore(replica);
  const awayBecause = () => unmountedReason(readMark(config.DATA_DIR), replica);
  return new LeaseFile(store, { lock: new FolderLock(replica.path, store, awayBecause) });
}
