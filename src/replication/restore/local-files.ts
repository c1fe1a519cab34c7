import { mkdirSync } from 'node:fs';
import { access, constants, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Failure } from '../../platform/errors.ts';
import { freeDiskBytes, isDiskFull } from '../../platform/free-disk.ts';
import { errorCode } from '../files.ts';
import { type DatabaseReplica, STALL_TIMEOUT_MS } from '../replica-context.ts';
import { S3Store } from '../store/s3-store.ts';
import { replicaUnreachable } from '../store/unreachable.ts';
import { isMirrored } from './mirrored.ts';
import type { ReplicaFile } from './replica-files.ts';
import { endedEarly, retried } from './retry.ts';

/** A larger file is downloaded in parts of this size, several at a time. */
const PART_BYTES = 16 * 1024 * 1024;
const MB = 1024 * 1024;
const SPARE_BYTES = 16 * MB;

/** Makes files of a replica available as files on this machine. */
export interface LocalFiles {
  /**
   * @returns the path of the local file; undefined when the replica does not have the file any more
   * @throws Failure replica_unreachable, storage_full, not_ready (aborted)
   */
  readonly get: (file: ReplicaFile) => Promise<string | undefined>;
  /**
   * Checks that there is room for files. To be called before `get`.
   * @throws Failure storage_full when there is no room for them
   */
  readonly reserve: (files: readonly ReplicaFile[]) => void;
}

/**
 * @param folder for the downloads
 * @param onBytes is called with the size of each downloaded piece
 */
export function localFiles(
  source: DatabaseReplica,
  folder: string,
  onBytes: (sizeBytes: number) => void,
): LocalFiles {
  const { replica } = source.config;
  if (replica.type === 's3') return new Downloads(source, new S3Store(source, replica), folder, onBytes);
  return {
    get: async ({ path: below }) => {
      try {
        await access(join(replica.path, below), constants.R_OK);
        return join(replica.path, below);
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw replicaUnreachable(replica, error);
      }
    },
    reserve: () => {},
  };
}

/** Downloads each file once; a file that the mirror has is used from there. */
class Downloads implements LocalFiles {
  readonly #source: DatabaseReplica;
  readonly #store: S3Store;
  readonly #folder: string;
  readonly #onBytes: (sizeBytes: number) => void;
  #lastByteMs = performance.now();
  readonly #got = new Map<string, Promise<string | undefined>>();

  constructor(source: DatabaseReplica, store: S3Store, folder: string, onBytes: (sizeBytes: number) => void) {
    this.#source = source;
    this.#store = store;
    this.#folder = folder;
    this.#onBytes = onBytes;
  }

  get(file: ReplicaFile): Promise<string | undefined> {
    const known = this.#got.get(file.path);
    if (known) return known;
    const path = join(this.#folder, file.path);
    const got = this.#mirrored(file) ?? this.#download(file, path);
    this.#got.set(file.path, got);
    // A failure is reported where the file is awaited.
    got.catch(() => {});
    return got;
  }

  reserve(files: readonly ReplicaFile[]): void {
    const neededBytes = files
      .filter((file) => !this.#got.has(file.path) && !this.#mirrored(file))
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, SPARE_BYTES);
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const freeBytes = freeDiskBytes(this.#folder);
    if (freeBytes >= neededBytes) return;
    throw new Failure(
      'storage_full',
      `No space to restore the database ${this.#source.database}: what is needed of its replica takes ${Math.ceil(neededBytes / MB)} MB in ${this.#folder} beside the database, and ${Math.floor(freeBytes / MB)} MB are free`,
    );
  }

  /** @returns the mirror's file, only if it has the size and time that the store lists: the store decides */
  #mirrored(file: ReplicaFile): Promise<string> | undefined {
    const { mirrorDir } = this.#source;
    return mirrorDir !== undefined && isMirrored(mirrorDir, file)
      ? Promise.resolve(join(mirrorDir, file.path))
      : undefined;
  }

  async #download(file: ReplicaFile, path: string): Promise<string | undefined> {
    const { signal, config } = this.#source;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const parts = Math.max(1, Math.ceil(file.sizeBytes / PART_BYTES));
    try {
      const target = await open(path, 'w', 0o600);
      try {
        const all = Array.from({ length: parts }, (_, part) =>
          retried(() => this.#part(file, target, part, parts), signal),
        );
        await Promise.allSettled(all);
        const isThere = await Promise.all(all);
        return isThere.every((each) => each) ? path : undefined;
      } finally {
        await target.close();
      }
    } catch (error) {
      if (signal?.aborted) throw new Failure('not_ready', 'Stopped while restoring');
      if (isDiskFull(error)) throw error;
      throw replicaUnreachable(config.replica, error);
    }
  }

  /** @returns whether the store has the file */
  async #part(
    file: ReplicaFile,
    target: Awaited<ReturnType<typeof open>>,
    part: number,
    parts: number,
  ): Promise<boolean> {
    const { stallTimeoutMs = STALL_TIMEOUT_MS } = this.#source;
    const from = part * PART_BYTES;
    const end = Math.min(from + PART_BYTES, file.sizeBytes);
    const abort = new AbortController();
    const signal = this.#source.signal ? AbortSignal.any([this.#source.signal, abort.signal]) : abort.signal;
    const stall = new Error(`nothing came from it for ${stallTimeoutMs / 1000} s`);
    // While other downloads get bytes, this one only waits for its turn.
    const startMs = performance.now();
    const timer = setInterval(() => {
      const silentMs = performance.now() - Math.max(startMs, this.#lastByteMs);
      if (silentMs >= stallTimeoutMs) abort.abort(stall);
    }, stallTimeoutMs / 4);
    try {
      const range = parts > 1 ? { from, to: end - 1 } : undefined;
      const content = await this.#store.open(file.path, range, signal);
      if (!content) return false;
      let place = from;
      for await (const chunk of content as AsyncIterable<Buffer>) {
        this.#lastByteMs = performance.now();
        await target.write(chunk, 0, chunk.length, place);
        place += chunk.length;
        this.#onBytes(chunk.length);
      }
      if (parts > 1 && place !== end) throw endedEarly();
      return true;
    } catch (error) {
      throw abort.signal.aborted ? stall : error;
    } finally {
      clearInterval(timer);
    }
  }
}
