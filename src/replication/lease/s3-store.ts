import { randomUUID } from 'node:crypto';
import { epochOf } from '../failover/epoch.ts';
import type { ReplicaStore } from '../store/store.ts';
import { LEASE_NAME, type LeaseStore, type Stored } from './store.ts';

/** The record as an object in a bucket, replaced only under the condition that it is what was read. */
export class S3LeaseStore implements LeaseStore {
  readonly isLockable = false;
  readonly #store: ReplicaStore;

  constructor(store: ReplicaStore) {
    this.#store = store;
  }

  lock(): boolean {
    return true;
  }

  unlock(): void {}

  async read(): Promise<Stored | undefined> {
    return this.#store.read(LEASE_NAME);
  }

  async write(text: string, over: Stored | undefined): Promise<boolean> {
    return this.#store.write(LEASE_NAME, text, over);
  }

  async epochs(): Promise<readonly string[]> {
    return (await this.#store.names('', 'e')).filter((name) => epochOf(name) !== undefined);
  }

  async isConditional(): Promise<boolean> {
    const name = `.lease-${randomUUID()}`;
    const written = await Promise.all(
      ['one', 'other'].map((text) => this.#store.write(name, text, undefined)),
    );
    await this.#store.remove(name);
    return written.filter((isWritten) => isWritten).length === 1;
  }
}
