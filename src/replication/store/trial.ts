import { randomUUID } from 'node:crypto';
import type { ReplicaStore } from './store.ts';

/** No check takes as long. */
const AGE_MAX_MS = 60 * 60_000;
const NAME = /^\.doctor-(\d{13})-[0-9a-f-]{36}$/;

/** @returns a name of its own in the replica for what a check puts there for a moment. No Litestream looks there. */
export function trialName(): string {
  return `.doctor-${Date.now()}-${randomUUID()}`;
}

/** Removes what is there under such a name. */
export async function removeTrial(store: ReplicaStore, name: string): Promise<void> {
  for await (const { path } of store.files(name)) await store.remove(path);
  // In a folder its folders are left.
  await store.remove(name);
}

/** Removes what checks have left that were killed, and nothing that one may still need. */
export async function removeOldTrials(store: ReplicaStore, nowMs = Date.now()): Promise<void> {
  for (const name of await store.names('')) {
    const startMs = Number(NAME.exec(name)?.[1] ?? nowMs);
    if (nowMs - startMs > AGE_MAX_MS) await removeTrial(store, name);
  }
}
