import { createWriteStream, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { S3Store } from '../store/s3-store.ts';
import type { StoredFile } from '../store/store.ts';

/** What has not arrived whole ends so; Litestream's names never do. */
const PART = '.part';
const DOWNLOADS_MAX = 16;
const OWNER_ALONE = 0o700;
const MS_PER_S = 1000;

/** What one pass has changed. */
export interface Synced {
  readonly files: number;
  readonly bytes: number;
  readonly removed: number;
}

/**
 * A replica in a bucket as a folder of this machine, so that a takeover restores from its own disk. The objects of
 * Litestream 0.3 are named as its files are, so the folder is a `file:` replica of its own, whose times are the store's. An
 * object is written once and never changed. States: as the store was at the end of the last `sync`; whatever a pass that
 * was cut short has brought is whole.
 */
export class Mirror {
  readonly #store: Pick<S3Store, 'files' | 'open'>;
  readonly #folder: string;

  /** @param folder absolute; nobody else writes there */
  constructor(store: Pick<S3Store, 'files' | 'open'>, folder: string) {
    this.#store = store;
    this.#folder = folder;
  }

  /**
   * Brings what is new in one folder of the store, and removes what is gone there.
   * @param epoch the folder; what the mirror has of any other is removed
   * @throws Error why the store could not be read, or the disk not be written
   */
  async sync(epoch: string, databases: readonly string[], signal: AbortSignal): Promise<Synced> {
    mkdirSync(this.#folder, { recursive: true, mode: OWNER_ALONE });
    const listed = new Map<string, StoredFile>();
    for (const database of databases) {
      const folder = epoch === '' ? database : `${epoch}/${database}`;
      for await (const file of this.#store.files(folder)) listed.set(file.path, file);
      signal.throwIfAborted();
    }
    const here = filesIn(this.#folder);
    const gone = here.filter((path) => !listed.has(path));
    const missing = [...listed.values()].filter((file) => !this.#has(file));
    let files = 0;
    let bytes = 0;
    const queue = missing[Symbol.iterator]();
    const work = Array.from({ length: DOWNLOADS_MAX }, async () => {
      for (const file of queue) {
        if (!(await this.#download(file, signal))) continue;
        files += 1;
        bytes += file.sizeBytes;
      }
    });
    const ends = await Promise.allSettled(work);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    // Only now: until there is something newer, the old is what there is.
    for (const path of gone) rmSync(join(this.#folder, path), { force: true });
    return { files, bytes, removed: gone.length };
  }

  #has({ path, sizeBytes }: StoredFile): boolean {
    return statSync(join(this.#folder, path), { throwIfNoEntry: false })?.size === sizeBytes;
  }

  /** @returns whether the store still had it */
  async #download({ path, storedMs }: StoredFile, signal: AbortSignal): Promise<boolean> {
    const content = await this.#store.open(path, undefined, signal);
    // The retention may just have removed it.
    if (!content) return false;
    const target = join(this.#folder, path);
    mkdirSync(dirname(target), { recursive: true, mode: OWNER_ALONE });
    await pipeline(content, createWriteStream(target + PART, { mode: 0o600 }), { signal });
    utimesSync(target + PART, storedMs / MS_PER_S, storedMs / MS_PER_S);
    renameSync(target + PART, target);
    return true;
  }
}

/** @returns the paths of all files below a folder, also of those that are not whole */
function filesIn(folder: string, below = ''): readonly string[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    return entry.isDirectory() ? filesIn(folder, path) : [path];
  });
}
