import type { LeaseRecord } from '../lease/record.ts';
import type { ReplicaStore } from '../store/store.ts';
import { epochOf } from './epoch.ts';

/**
 * Finds the epoch folders that no restore needs any more: those of epochs before `data` in the record, whose newest
 * object is older than the newest in `data` by more than the retention. Only times of the store's clock are compared.
 * Folders of later epochs stay: a leader that takes over may be filling one.
 *
 * @param retentionMs how long past states can be restored
 * @returns their names, oldest first
 */
export async function expiredEpochs(
  store: Pick<ReplicaStore, 'names' | 'files'>,
  { data }: Pick<LeaseRecord, 'data'>,
  retentionMs: number,
): Promise<readonly string[]> {
  const current = epochOf(data);
  if (current === undefined) return [];
  const newestMs = await newestIn(store, data);
  if (newestMs === undefined) return [];
  const expired: string[] = [];
  for (const folder of await store.names('', 'e')) {
    const epoch = epochOf(folder);
    if (epoch === undefined || epoch >= current) continue;
    const endMs = await newestIn(store, folder);
    if (endMs !== undefined && newestMs - endMs > retentionMs) expired.push(folder);
  }
  return expired.sort((a, b) => (epochOf(a) ?? 0) - (epochOf(b) ?? 0));
}

/**
 * Removes everything in the folder of an epoch.
 * @returns how many files there were
 */
export async function removeEpoch(
  store: Pick<ReplicaStore, 'files' | 'remove'>,
  folder: string,
): Promise<number> {
  if (epochOf(folder) === undefined) throw new Error(`${folder} is no folder of an epoch`);
  let count = 0;
  for await (const { path } of store.files(folder)) {
    await store.remove(path);
    count += 1;
  }
  return count;
}

async function newestIn(store: Pick<ReplicaStore, 'files'>, folder: string): Promise<number | undefined> {
  let newestMs: number | undefined;
  for await (const { storedMs } of store.files(folder)) newestMs = Math.max(newestMs ?? storedMs, storedMs);
  return newestMs;
}
