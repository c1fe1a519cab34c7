import type { Config } from '../../config/config.ts';
import type { Replica } from '../../config/replica-url.ts';
import { openLeaseStore, PATIENT_TIMEOUT_MS } from '../lease/open-store.ts';
import { hasEpochs, parseRecord } from '../lease/record.ts';
import { clarified } from '../restore-failure.ts';
import { replicaUnreachable } from '../store/unreachable.ts';
import { unknownEpochs } from './unknown-epochs.ts';

/** Where a replica that more than one system may have led has its data. */
export interface Lineage {
  /** Folders below the replica, the newest first; each continues the one after it. Empty: the replica itself. */
  readonly folders: readonly [string, ...string[]];
  /** Whether systems that stand by for each other write it. */
  readonly isShared: boolean;
}

/**
 * @param env what `litestreamEnv` returned
 * @returns where a replica has its data, as its record says
 * @throws Failure history_unsettled where there are epochs, and the record is missing or unreadable;
 *   replica_unreachable, replica_denied or bucket_missing where the record cannot be asked for
 */
export async function readLineage(config: Config, env: NodeJS.ProcessEnv): Promise<Lineage> {
  const plain: Lineage = { folders: [''], isShared: false };
  // No second system can take over a replica in a folder.
  if (config.replica.type === 'file') return plain;
  const { record, epochs } = await read(config, env);
  if (record) {
    const folders = [...(record.past ?? []), record.data].reverse();
    return { folders: folders as [string, ...string[]], isShared: hasEpochs(record) };
  }
  const unknown = unknownEpochs(config.replica.url, epochs);
  if (unknown) throw unknown;
  return plain;
}

async function read(config: Config, env: NodeJS.ProcessEnv) {
  const store = openLeaseStore(config, env, PATIENT_TIMEOUT_MS);
  try {
    const record = parseRecord((await store.read())?.text ?? '');
    return { record, epochs: record ? [] : await store.epochs() };
  } catch (error) {
    throw clarified(replicaUnreachable(config.replica, error));
  }
}

/** @returns the replica in a folder below this one; this one itself where the folder is empty */
export function replicaIn<Kind extends Replica>(replica: Kind, folder: string): Kind {
  if (folder === '') return replica;
  const url = `${replica.url}/${folder}`;
  return replica.type === 'file'
    ? { ...replica, url, path: `${replica.path}/${folder}` }
    : { ...replica, url, prefix: replica.prefix === '' ? folder : `${replica.prefix}/${folder}` };
}
