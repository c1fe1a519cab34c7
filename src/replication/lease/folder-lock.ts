import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Lock, lockFile } from '../../sqlite/lock.ts';
import { errorCode } from '../files.ts';
import type { FileStore } from '../store/file-store.ts';

/** SQLite's error codes on a file system without locks, as some on a network: then the record alone decides. */
const LOCKLESS = /^SQLITE_(?:IOERR|NOLFS|PROTOCOL)/;

/** A kernel lock on a replica in a folder. States: free ⇄ held; the file system may turn out to have no locks. */
export class FolderLock {
  readonly #path: string;
  readonly #store: FileStore;
  readonly #awayBecause: () => string | undefined;
  #isLockable = true;
  #lock: Lock | undefined;
  /** Inode of the locked file. */
  #inode: number | undefined;

  /**
   * @param folder of the replica
   * @param awayBecause why the replica is not mounted, so that nothing may be written there; undefined when it is
   */
  constructor(folder: string, store: FileStore, awayBecause: () => string | undefined = () => undefined) {
    this.#path = join(folder, 'lease.lock');
    this.#store = store;
    this.#awayBecause = awayBecause;
  }

  /** Whether the file system has locks. */
  get isLockable(): boolean {
    return this.#isLockable;
  }

  /** @returns whether the lock is held here now, or the file system has no locks */
  take(): boolean {
    this.makeFolder();
    // A lock on a file that was removed keeps nobody away.
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino !== this.#inode) this.release();
    try {
      this.#lock ??= lockFile(this.#path);
      this.#inode = statSync(this.#path).ino;
      return this.#lock !== undefined;
    } catch (error) {
      if (!LOCKLESS.test(errorCode(error))) throw error;
      this.#isLockable = false;
      return true;
    }
  }

  release(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** @throws Error where the replica is not mounted */
  makeFolder(): void {
    const because = this.#awayBecause();
    if (because !== undefined) throw new Error(because);
    this.#store.make();
  }
}
