import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Lock, lockFile } from '../../sqlite/lock.ts';
import { errorCode } from '../files.ts';
import type { FileStore } from '../store/file-store.ts';

/** What SQLite says where the file system has no locks, as some on a network: then the record alone decides. */
const LOCKLESS = /^SQLITE_(?:IOERR|NOLFS|PROTOCOL)/;

/** A lock of the kernel on a replica in a folder. */
export class FolderLock {
  readonly #path: string;
  readonly #store: FileStore;
  readonly #awayBecause: () => string | undefined;
  #isLockable = true;
  #lock: Lock | undefined;
  /** Of the file that is locked. */
  #inode: number | undefined;

  /**
   * @param folder of the replica
   * @param awayBecause why it is not the folder that it was, so that nothing may be written there; undefined when it is
   */
  constructor(folder: string, store: FileStore, awayBecause: () => string | undefined = () => undefined) {
    this.#path = join(folder, 'lease.lock');
    this.#store = store;
    this.#awayBecause = awayBecause;
  }

  /** Whether its file system has locks. */
  get isLockable(): boolean {
    return this.#isLockable;
  }

  /** @returns whether nobody else has it */
  take(): boolean {
    this.makeFolder();
    // Of a file that was removed it keeps nobody away.
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

  /** @throws Error where the replica is away */
  makeFolder(): void {
    const because = this.#awayBecause();
    if (because !== undefined) throw new Error(because);
    this.#store.make();
  }
}
