import { epochOf } from '../failover/epoch.ts';
import { type ReplicaStore, type Stored, StoreRefusal } from '../store/store.ts';
import { trialName } from '../store/trial.ts';
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
  /** @returns what the store ignores, so that of two who write at once both are let; undefined where it lets one */
  ignored(): Promise<'If-None-Match' | 'If-Match' | 'locks' | undefined>;
  /** Resolves where the record may be written; it stays as it is. Only for a store that ignores nothing. */
  demandWritable(): Promise<void>;
}

/** A store that knows no conditions answers with it, or ignores them. */
const NOT_IMPLEMENTED = 501;

/** Of no content that a store may hold. */
const NO_TAG = `"${'0'.repeat(32)}"`;

export interface LeaseFileOptions {
  /** Of a replica in a folder, where a condition alone would let two write at once; undefined for a bucket. */
  readonly lock?: FolderLock;
  /** A store that refuses conditions is written to as one that ignores them: not where two systems take over from each other. */
  readonly takesNoConditions?: boolean;
}

/** The record as a file of the replica, replaced only under the condition that it is what was read. */
export class LeaseFile implements LeaseStore {
  readonly #store: ReplicaStore;
  readonly #lock: FolderLock | undefined;
  readonly #takesNoConditions: boolean;
  /** The store has refused one. */
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
    // In a folder no second system takes over.
    if (this.#lock) return [];
    return (await this.#store.names('', 'e')).filter((name) => epochOf(name) !== undefined);
  }

  async ignored(): ReturnType<LeaseStore['ignored']> {
    if (this.#lock) return this.#lock.isLockable ? undefined : 'locks';
    const path = `${trialName()}/condition`;
    try {
      if (await this.#letsBoth(path, ['one', 'other'], undefined)) return 'If-None-Match';
      // What is there already has the same tag again.
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
    // Who is not allowed to write is told that before the condition is looked at.
    if (!this.#lock) await this.#store.write(LEASE_NAME, '', { text: '', tag: NO_TAG });
  }

  async #letsBoth(path: string, texts: readonly string[], over: Stored | undefined): Promise<boolean> {
    const written = await Promise.all(texts.map((text) => this.#store.write(path, text, over)));
    // One whose answer is lost is sent again, and refused by what it has written itself.
    if (!written.includes(true)) throw new Error('of two writes at once the store has refused both');
    return !written.includes(false);
  }
}

/** @returns whether the store knows no conditions */
function isUnknown(error: unknown): boolean {
  return error instanceof StoreRefusal && error.status === NOT_IMPLEMENTED;
}
