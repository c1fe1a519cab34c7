import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Lock, lockFile } from '../../sqlite/lock.ts';
import { errorCode, syncToDisk } from '../files.ts';
import { LEASE_NAME, type LeaseStore, type Stored } from './store.ts';

const OWNER_ALONE = 0o700;
/** What SQLite says where the file system has no locks, as some on a network: then the record alone decides. */
const LOCKLESS = /^SQLITE_(?:IOERR|NOLFS|PROTOCOL)/;

/** The record as a file, beside a lock of the kernel. */
export class FileLeaseStore implements LeaseStore {
  readonly #folder: string;
  readonly #awayBecause: () => string | undefined;
  #isLockable = true;
  #lock: Lock | undefined;
  /** Of the file that is locked. */
  #inode: number | undefined;

  /** @param awayBecause why it is not the folder that it was, so that nothing may be written there; undefined when it is */
  constructor(folder: string, awayBecause: () => string | undefined = () => undefined) {
    this.#folder = folder;
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
    try {
      const text = readFileSync(this.#path, 'utf8');
      return { text, tag: text };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      return undefined;
    }
  }

  async write(text: string, over: Stored | undefined): Promise<boolean> {
    this.#makeFolder();
    if ((await this.read())?.text !== over?.text) return false;
    writeFileSync(`${this.#path}.tmp`, text, { mode: 0o600, flush: true });
    renameSync(`${this.#path}.tmp`, this.#path);
    syncToDisk(this.#folder);
    return true;
  }

  /** Without a lock two may read the same before both write. */
  async isConditional(): Promise<boolean> {
    return this.#isLockable;
  }

  get #path(): string {
    return join(this.#folder, LEASE_NAME);
  }

  /** Not those above it: where its disk is not mounted, that shows. */
  #makeFolder(): void {
    const because = this.#awayBecause();
    if (because !== undefined) throw new Error(because);
    try {
      mkdirSync(this.#folder, { mode: OWNER_ALONE });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}
