import { epochOf } from '../failover/epoch.ts';
import { type ReplicaStore, type Stored, StoreRefusal } from '../store/store.ts';
import { trialName } from '../store/trial.ts';
import type { FolderLock } from './folder-lock.ts';

/** The name of the record's object in the replica. */
export const LEASE_NAME = 'lease.json';

export type { Stored };

/** The store of the record. Each method throws when it cannot be done now; the message is the reason. */
export interface LeaseStore {
  /** Whether a kernel lock tells, beside the record, that an owner lives. */
  readonly isLockable: boolean;
  /** @returns false when another process under this kernel has the lock; else it is held until `unlock` or the exit */
  lock(): boolean;
  unlock(): void;
  /** @returns undefined where there is none */
  read(): Promise<Stored | undefined>;
  /**
   * @param over the record to replace, as it was read; undefined where there was none
   * @returns whether it was written; false where another record is there by now
   */
  write(text: string, over: Stored | undefined): Promise<boolean>;
  /** @returns the folders of epochs in the replica */
  epochs(): Promise<readonly string[]>;
  /** @returns what the store ignores, so that two writes at once both succeed; undefined where only one of them does */
  ignored(): Promise<'If-None-Match' | 'If-Match' | 'locks' | undefined>;
  /** Resolves where the record may be written, without changing it. Only for a store that ignores nothing. */
  demandWritable(): Promise<void>;
}

/** The answer of a store that knows no conditions; others ignore them. */
const NOT_IMPLEMENTED = 501;

/** An entity tag that no stored content has. */
const NO_TAG = `"${'0'.repeat(32)}"`;

export interface LeaseFileOptions {
  /** The lock of a replica in a folder, where a condition alone lets two write at once; undefined for a bucket. */
  readonly lock?: FolderLock;
  /** Writes without conditions to a store that knows none. Never where two systems take over from each other. */
  readonly takesNoConditions?: boolean;
}

/** The record as a file of the replica. It is replaced only under the condition that it still is what was read. */
export class LeaseFile implements LeaseStore {
  readonly #store: ReplicaStore;
  readonly #lock: FolderLock | undefined;
  readonly #takesNoConditions: boolean;
  /** The store has answered a conditional write with 501. */
  #isUnconditional = false;

  constructor(store: ReplicaStore, { lock, takesNoConditions = false }: LeaseFileOptions = {}) {
    this.#store = store;
    this.#lock = lock;
    this.#takesNoConditions = takesNoConditions;
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
    try {
      if (!this.#isUnconditional) return await this.#store.write(LEASE_NAME, text, over);
    } catch (error) {
      if (!this.#takesNoConditions || !isUnknown(error)) throw error;
      this.#isUnconditional = true;
    }
    if ((await this.read())?.tag !== over?.tag) return false;
    return this.#store.write(LEASE_NAME, text, 'any');
  }

  async epochs(): Promise<readonly string[]> {
    // No second system can take over a replica in a folder.
    if (this.#lock) return [];
    return (await this.#store.names('', 'e')).filter((name) => epochOf(name) !== undefined);
  }

  async ignored(): ReturnType<LeaseStore['ignored']> {
    if (this.#lock) return this.#lock.isLockable ? undefined : 'locks';
    const path = `${trialName()}/condition`;
    try {
      if (await this.#letsBoth(path, ['one', 'other'], undefined)) return 'If-None-Match';
      // Other texts than above: the same content would have the same tag again.
      if (await this.#letsBoth(path, ['next', 'another'], await this.#store.read(path))) return 'If-Match';
      return undefined;
    } catch (error) {
      if (isUnknown(error)) return 'If-None-Match';
      throw error;
    } finally {
      await this.#store.remove(path);
    }
  }

  async demandWritable(): Promise<void> {
    // A store checks the permission before the condition, which this write never meets.
    if (!this.#lock) await this.#store.write(LEASE_NAME, '', { text: '', tag: NO_TAG });
  }

  async #letsBoth(path: string, texts: readonly string[], over: Stored | undefined): Promise<boolean> {
    const written = await Promise.all(texts.map((text) => this.#store.write(path, text, over)));
    // A write whose answer was lost is sent again, and then refused for what it has written itself.
    if (!written.includes(true)) throw new Error('of two writes at once the store has refused both');
    return !written.includes(false);
  }
}

/** @returns whether the error says that the store knows no conditions */
function isUnknown(error: unknown): boolean {
  return error instanceof StoreRefusal && error.status === NOT_IMPLEMENTED;
}
