import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Lock, lockFile } from '../../sqlite/lock.ts';
import { errorCode } from '../files.ts';
import type { Replica } from '../replica-url.ts';
import { FileStore } from '../store/file-store.ts';
import { LEASE_NAME, type LeaseStore, type Stored } from './store.ts';

/** What SQLite says where the file system has no locks, as some on a network: then the record alone decides. */
const LOCKLESS = /^SQLITE_(?:IOERR|NOLFS|PROTOCOL)/;

/** The record as a file, beside a lock of the kernel. */
export class FileLeaseStore implements LeaseStore {
  readonly #folder: string;
  readonly #store: FileStore;
  readonly #awayBecause: () => string | undefined;
  #isLockable = true;
  #lock: Lock | undefined;
  /** Of the file that is locked. */
  #inode: number | undefined;

  /** @param awayBecause why it is not the folder that it was, so that nothing may be written there; undefined when it is */
  constructor(
    replica: Extract<Replica, { readonly type: 'file' }>,
    awayBecause: () => string | undefined = () => undefined,
  ) {
    this.#folder = replica.path;
    this.#store = new FileStore(replica);
    this.#awayBecause = awayBecause;
  }

  get isLockable(): boolean {
    return this.#isLockable;
  }

  lock(): boolean {
    this.#makeFolder();
    const path = join(this.#folder, 'lease.lock');
    // Of a file that was removed it keeps nobody away.
    if (statSync(path, { throwIfNoEntry: false })?.ino !== this.#inode) this.unlock();
    try {
      this.#lock ??= lockFile(path);
      this.#inode = statSync(path).ino;
      return this.#lock !== undefined;
    } catch (error) {
      if (!LOCKLESS.test(errorCode(error))) throw error;
      this.#isLockable = false;
      return true;
    }
  }

  unlock(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  async read(): Promise<Stored | undefined> {
    return this.#store.read(LEASE_NAME);
  }

  async write(text: string, over: Stored | undefined): Promise<boolean> {
    this.#makeFolder();
    return this.#store.write(LEASE_NAME, text, over);
  }

  /** In a folder no second system takes over. */
  async epochs(): Promise<readonly string[]> {
    return [];
  }

  /** Without a lock two may read the same before both write. */
  async isConditional(): Promise<boolean> {
    return this.#isLockable;
  }

  #makeFolder(): void {
    const because = this.#awayBecause();
    if (because !== undefined) throw new Error(because);
    this.#store.make();
  }
}
