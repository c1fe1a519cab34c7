import { randomUUID } from 'node:crypto';
import type { ReplicaStore } from './store.ts';

/** Longer than any check takes. */
const AGE_MAX_MS = 60 * 60_000;
const NAME = /^\.doctor-(\d{13})-[0-9a-f-]{36}$/;

/** @returns a unique name in the replica for the temporary objects of a check. Litestream does not look there. */
export function trialName(): string {
  return `.doctor-${Date.now()}-${randomUUID()}`;
}

/** Removes the objects of a check. */
export async function removeTrial(store: ReplicaStore, name: string): Promise<void> {
  for await (const { path } of store.files(name)) await store.remove(path);
  // In a `file:` replica the empty folder is left.
  await store.remove(name);
}

/** Removes the objects of checks that were killed, but none that a running check may still need. */
export async function removeOldTrials(store: ReplicaStore, nowMs = Date.now()): Promise<void> {
  for (const name of await store.names('')) {
    const startMs = Number(NAME.exec(name)?.[1] ?? nowMs);
    if (nowMs - startMs > AGE_MAX_MS) await removeTrial(store, name);
  }
}
