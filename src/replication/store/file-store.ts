import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Replica } from '../../config/replica-url.ts';
import { errorCode, syncToDisk } from '../files.ts';
import { demandReplicaFolder } from './file-replica.ts';
import type { ReplicaStore, Stored, StoredFile } from './store.ts';

const OWNER_ALONE = 0o700;

/** A replica in a folder. */
export class FileStore implements ReplicaStore {
  readonly #replica: Extract<Replica, { readonly type: 'file' }>;

  constructor(replica: Extract<Replica, { readonly type: 'file' }>) {
    this.#replica = replica;
  }

  async names(folder: string): Promise<readonly string[]> {
    demandReplicaFolder(this.#replica);
    return unlessMissing(readdir(this.#at(folder)), []);
  }

  async *files(folder: string): AsyncGenerator<StoredFile> {
    demandReplicaFolder(this.#replica);
    const entries = await unlessMissing(
      readdir(this.#at(folder), { recursive: true, withFileTypes: true }),
      [],
    );
    for (const { parentPath, name } of entries.filter((entry) => entry.isFile())) {
      const path = join(parentPath, name);
      // The retention may just have removed it.
      const found = await unlessMissing(stat(path), undefined);
      if (!found) continue;
      yield { path: relative(this.#replica.path, path), sizeBytes: found.size, storedMs: found.mtimeMs };
    }
  }

  async read(path: string): Promise<Stored | undefined> {
    try {
      // Not synchronously: a network disk may hang, and the primary must not.
      const text = await readFile(this.#at(path), 'utf8');
      return { text, tag: text };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      return undefined;
    }
  }

  async has(path: string): Promise<boolean> {
    return ((await unlessMissing(stat(this.#at(path)), undefined))?.size ?? 0) > 0;
  }

  async write(path: string, text: string, over: Stored | undefined | 'any'): Promise<boolean> {
    const file = this.#at(path);
    if (over !== 'any' && (await this.read(path))?.text !== over?.text) return false;
    writeFileSync(`${file}.tmp`, text, { mode: 0o600, flush: true });
    renameSync(`${file}.tmp`, file);
    syncToDisk(dirname(file));
    return true;
  }

  async remove(path: string): Promise<void> {
    rmSync(this.#at(path), { force: true, recursive: true });
  }

  /** Makes the replica's folder, but none above it: if the disk is not mounted, that fails and shows it. */
  make(): void {
    try {
      mkdirSync(this.#replica.path, { mode: OWNER_ALONE });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }

  #at(path: string): string {
    return join(this.#replica.path, path);
  }
}

async function unlessMissing<Value>(pending: Promise<Value>, missing: Value): Promise<Value> {
  try {
    return await pending;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error))) return missing;
    throw error;
  }
}
