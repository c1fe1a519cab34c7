import { randomUUID } from 'node:crypto';
import { epochOf } from '../failover/epoch.ts';
import type { ReplicaStore, Stored } from '../store/store.ts';
import type { FolderLock } from './folder-lock.ts';

/** The name of the record, in the replica. */
export const LEASE_NAME = 'lease.json';

export type { Stored };

/** Where the record is. Whatever cannot be done now throws, with the reason as its message. */
export interface LeaseStore {
  /** Whether the kernel tells who lives, beside the record. */
  readonly isLockable: boolean;
  /** @returns whether nobody else under this kernel holds the replica; it is kept until `unlock` or the end of the process */
  lock(): boolean;
  unlock(): void;
  /** @returns undefined where there is none */
  read(): Promise<Stored | undefined>;
  /**
   * @param over what is to be replaced, as it was read; undefined where there was none
   * @returns whether it was written; not where something else stands there by now
   */
  write(text: string, over: Stored | undefined): Promise<boolean>;
  /** @returns the folders of epochs in the replica */
  epochs(): Promise<readonly string[]>;
  /** @returns whether of two who write at once one is refused */
  isConditional(): Promise<boolean>;
}

/** The record as a file of the replica, replaced only under the condition that it is what was read. */
export class LeaseFile implements LeaseStore {
  readonly #store: ReplicaStore;
  readonly #lock: FolderLock | undefined;

  /** @param lock of a replica in a folder, where a condition alone would let two write at once; undefined for a bucket */
  constructor(store: ReplicaStore, lock?: FolderLock) {
    this.#store = store;
    this.#lock = lock;
  }

  get isLockable(): boolean {
    return this.#lock?.isLockable ?? false;
  }

  lock(): boolean {
    return this.#lock?.take() ?? true;
  }

  unlock(): void {
    this.#lock?.release();
  }

  async read(): Promise<Stored | undefined> {
    return this.#store.read(LEASE_NAME);
  }

  async write(text: string, over: Stored | undefined): Promise<boolean> {
    this.#lock?.makeFolder();
    return this.#store.write(LEASE_NAME, text, over);
  }

  async epochs(): Promise<readonly string[]> {
    // In a folder no second system takes over.
    if (this.#lock) return [];
    return (await this.#store.names('', 'e')).filter((name) => epochOf(name) !== undefined);
  }

  async isConditional(): Promise<boolean> {
    if (this.#lock) return this.#lock.isLockable;
    const name = `.lease-${randomUUID()}`;
    const written = await Promise.all(
      ['one', 'other'].map((text) => this.#store.write(name, text, undefined)),
    );
    await this.#store.remove(name);
    return written.filter((isWritten) => isWritten).length === 1;
  }
}
