import {
  createWriteStream,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Failure } from '../../platform/errors.ts';
import { segmentOf } from '../history/segment.ts';
import { isMirrored } from '../restore/mirrored.ts';
import type { S3Store } from '../store/s3-store.ts';
import type { StoredFile } from '../store/store.ts';

/** Suffix of a file that has not arrived whole; Litestream's names never end so. */
const PART = '.part';
const DOWNLOADS_MAX = 16;
/** For one object. */
const DOWNLOAD_TIMEOUT_MS = 2 * 60_000;
const OWNER_ALONE = 0o700;
const MS_PER_S = 1000;
const MB = 1024 * 1024;
/** Everything is listed this often, for new snapshots and what retention removed; in between only newer segments. */
const FULL_INTERVAL_MS = 10 * 60_000;
const NAME = /\/generations\/([0-9a-f]{16})\/(snapshots|wal)\/([^/]+)$/;

/** What to mirror. */
export interface MirrorTarget {
  /** The folder in the store that counts; the mirror removes its files of any other. Empty: the replica itself. */
  readonly folder: string;
  /** By database, the generation that the leader writes; undefined where it is not known. */
  readonly generations: Readonly<Record<string, string | undefined>>;
}

/** What one pass has changed, and the totals after it. */
export interface Synced {
  readonly files: number;
  readonly bytes: number;
  readonly removed: number;
  readonly totalFiles: number;
  readonly totalBytes: number;
}

export interface MirrorOptions {
  readonly store: Pick<S3Store, 'files' | 'open'>;
  /** Absolute; no other process writes there. */
  readonly folder: string;
  readonly freeBytes: (folder: string) => number;
  /** Disk space that has to stay free. */
  readonly reserveBytes: number;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/** What the store has of a target, as last listed. */
interface Listing {
  readonly folder: string;
  readonly atMs: number;
  readonly files: Map<string, StoredFile>;
}

/**
 * Keeps what a takeover needs of a replica in a bucket in a folder of this machine: for each database the newest
 * snapshot of the generation that the leader writes, and the segments after it. Litestream 0.3 names objects and files
 * alike, so the folder is a `file:` replica of its own, with the times of the store. An object is written once and
 * never changed.
 *
 * State: the folder is as the store was at the last `sync`. Each file is whole, also when a pass was cut short.
 */
export class Mirror {
  readonly #options: MirrorOptions;
  #listing: Listing | undefined;
  /** Paths known to be here, since everything was listed last. */
  readonly #present = new Set<string>();

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /**
   * Downloads what is new in the store, and removes what no takeover needs any more.
   * @throws Failure storage_full; Error that says why the store could not be read, or the disk not be written
   */
  async sync(target: MirrorTarget, signal: AbortSignal): Promise<Synced> {
    const { folder } = this.#options;
    mkdirSync(folder, { recursive: true, mode: OWNER_ALONE });
    const newer = await this.#listNew(target, signal);
    const listing = newer ?? (await this.#listAll(target, signal));
    if (!newer) this.#present.clear();
    const wanted = wantedOf(listing.files, target);
    const missing = wanted.filter((file) => !this.#present.has(file.path) && !isMirrored(folder, file));
    this.#demandRoom(missing);
    const brought = await this.#downloadAll(missing, signal);
    this.#listing = listing;
    for (const { path } of wanted) this.#present.add(path);
    // Only now that the newer files are here.
    const removed = newer ? 0 : this.#prune(this.#present);
    const totalBytes = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { ...brought, removed, totalFiles: wanted.length, totalBytes };
  }

  /** @returns the last listing with the newer segments; undefined where everything has to be listed */
  async #listNew({ folder, generations }: MirrorTarget, signal: AbortSignal): Promise<Listing | undefined> {
    const { store, now } = this.#options;
    const before = this.#listing;
    if (before?.folder !== folder || now() - before.atMs >= FULL_INTERVAL_MS) return undefined;
    const files = new Map(before.files);
    for (const [database, generation] of Object.entries(generations)) {
      if (generation === undefined) return undefined;
      const place = `${below(folder, database)}/generations/${generation}/wal`;
      const last = [...files.keys()]
        .filter((path) => path.startsWith(`${place}/`))
        .sort()
        .at(-1);
      if (last === undefined) return undefined;
      // Segments sort by name in the order in which they are written.
      for await (const file of store.files(place, last)) files.set(file.path, file);
      signal.throwIfAborted();
    }
    return { ...before, files };
  }

  async #listAll({ folder, generations }: MirrorTarget, signal: AbortSignal): Promise<Listing> {
    const { store, now } = this.#options;
    const atMs = now();
    const files = new Map<string, StoredFile>();
    for (const database of Object.keys(generations)) {
      for await (const file of store.files(below(folder, database))) files.set(file.path, file);
      signal.throwIfAborted();
    }
    return { folder, atMs, files };
  }

  #demandRoom(missing: readonly StoredFile[]): void {
    const { folder, freeBytes, reserveBytes } = this.#options;
    const neededBytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const leftBytes = freeBytes(folder) - reserveBytes;
    if (missing.length === 0 || neededBytes <= leftBytes) return;
    throw new Failure(
      'storage_full',
      `${Math.ceil(neededBytes / MB)} MB are to be mirrored, and ${Math.max(0, Math.floor(leftBytes / MB))} MB of disk are free beside what DISK_RESERVE_MB keeps`,
    );
  }

  async #downloadAll(missing: readonly StoredFile[], signal: AbortSignal) {
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
    return { files, bytes };
  }

  /** @returns whether the store still had it */
  async #download({ path, storedMs }: StoredFile, ended: AbortSignal): Promise<boolean> {
    const { store, folder } = this.#options;
    const signal = AbortSignal.any([ended, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]);
    const content = await store.open(path, undefined, signal);
    // The retention may just have removed it.
    if (!content) return false;
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true, mode: OWNER_ALONE });
    await pipeline(content, createWriteStream(target + PART, { mode: 0o600 }), { signal });
    utimesSync(target + PART, storedMs / MS_PER_S, storedMs / MS_PER_S);
    renameSync(target + PART, target);
    return true;
  }

  /** @returns how many files are gone */
  #prune(wanted: ReadonlySet<string>): number {
    const { folder } = this.#options;
    const { files, folders } = treeOf(folder);
    const gone = files.filter((path) => !wanted.has(path));
    for (const path of gone) rmSync(join(folder, path), { force: true });
    // The deepest first; those that are not empty stay.
    for (const path of folders.toReversed())
      if (readdirSync(join(folder, path)).length === 0) rmdirSync(join(folder, path));
    return gone.length;
  }
}

function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** @returns the files that a takeover restores from */
function wantedOf(files: ReadonlyMap<string, StoredFile>, target: MirrorTarget): readonly StoredFile[] {
  return Object.entries(target.generations).flatMap(([database, generation]) => {
    const place = `${below(target.folder, database)}/`;
    const own = [...files.values()].filter(({ path }) => path.startsWith(place));
    const name = own.some((file) => generationOf(file) === generation)
      ? generation
      : generationOf(own.toSorted((a, b) => a.storedMs - b.storedMs).at(-1));
    const ofGeneration = own.filter((file) => generationOf(file) === name);
    const newest =
      ofGeneration
        .flatMap((file) => snapshotIndexOf(file) ?? [])
        .sort((a, b) => a - b)
        .at(-1) ?? 0;
    return ofGeneration.filter((file) => (snapshotIndexOf(file) ?? walIndexOf(file) ?? -1) >= newest);
  });
}

function generationOf(file: StoredFile | undefined): string | undefined {
  return NAME.exec(file?.path ?? '')?.[1];
}

function snapshotIndexOf({ path }: StoredFile): number | undefined {
  const [, , kind, base = ''] = NAME.exec(path) ?? [];
  const index = kind === 'snapshots' ? /^([0-9a-f]{8})\.snapshot\.lz4$/.exec(base)?.[1] : undefined;
  return index === undefined ? undefined : Number.parseInt(index, 16);
}

function walIndexOf({ path }: StoredFile): number | undefined {
  const [, name = '', kind, base = ''] = NAME.exec(path) ?? [];
  return kind === 'wal' ? segmentOf(name, base)?.index : undefined;
}

/** @returns the paths below a folder: of files, partial ones too, and of folders, each after the one that it is in */
function treeOf(folder: string) {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true }).map((entry) => ({
    path: join(entry.parentPath, entry.name).slice(folder.length + 1),
    isFolder: entry.isDirectory(),
  }));
  const pathsOf = (isFolder: boolean) =>
    entries.filter((entry) => entry.isFolder === isFolder).map(({ path }) => path);
  return { files: pathsOf(false), folders: pathsOf(true).sort() };
}
