import { copyFileSync, existsSync, readdirSync, readlinkSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeFolder } from '../platform/folder.js';
import { syncToDisk } from '../replication/files.ts';
import { replacedFolder } from '../replication/history/replace.ts';
import { fileTime } from '../replication/leftovers.ts';
import { isWorkingDirectory } from '../sqlite/data-dir.ts';
import { BUSY_TIMEOUT_MS, type Database } from '../sqlite/open.ts';

const DESCRIPTORS = '/proc/self/fd';
const DELETED = / \(deleted\)$/;

/** Device and inode of a file, which identify it whatever its name. */
type Identity = string;

/**
 * The files of a database that this process has open. When somebody removes, moves or exchanges one, SQLite notices
 * nothing and goes on with the open file: every later commit would be lost when the last process closes that file.
 *
 * States: held → put back (`putBack` found another file, or none, under a name). Then nothing may be committed here.
 */
export class HeldFiles {
  readonly #db: Database;
  /** The database, its WAL, and the WAL-index (`-shm`), by path. */
  readonly #held: ReadonlyMap<string, Identity>;
  #done: string | undefined;

  /** @param db the writer's connection, in WAL mode and already used, so that all its files exist */
  constructor(db: Database) {
    this.#db = db;
    const paths = ['', '-wal', '-shm'].map((suffix) => `${db.name}${suffix}`);
    this.#held = new Map(
      paths.flatMap((path) => {
        const identity = identityOf(path);
        return identity === undefined ? [] : [[path, identity]];
      }),
    );
  }

  /**
   * Puts the open files back into their places, when they are no longer there. A foreign file in such a place is moved
   * to a quarantine folder first.
   * @returns what has happened, for people; undefined when all files are in place
   * @throws the system's error when the files cannot be put back
   */
  putBack(): string | undefined {
    this.#done ??= this.#putBack();
    return this.#done;
  }

  #putBack(): string | undefined {
    const lost = [...this.#held].filter(([path, identity]) => identityOf(path) !== identity);
    if (lost.length === 0) return undefined;
    const open = openFiles();
    // Without /proc, or when a file system reports other numbers for the same file, nothing can be concluded.
    if (!lost.every(([, identity]) => open.has(identity))) return undefined;
    const names = lost.map(([path]) => basename(path)).join(', ');
    const folder = dirname(this.#db.name);
    const [[, identity = '']] = lost as [[string, Identity]];
    const place = readlinkSync(open.get(identity) as string);
    // The whole folder was moved: the commits are there, under the new path, and the primary ends the system.
    if (!isWorkingDirectory(folder) && !DELETED.test(place)) return undefined;
    // From here on no process can commit, this one included: the write lock is not released when all went well.
    this.#lock();
    try {
      makeFolder(folder);
      const aside = replacedFolder(folder, fileTime(Date.now()));
      // The database comes last: without its WAL it would look whole but lack commits. A WAL alone is no database.
      for (const [path, identity] of lost.reverse()) restore(path, open.get(identity) as string, aside);
      syncToDisk(folder);
      const foreign = existsSync(aside) ? `; what stood there is in ${aside}` : '';
      return `${names} was removed, moved or exchanged while it was in use, and was put back${foreign}`;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #lock(): void {
    const waitMs = this.#db.pragma('busy_timeout', { simple: true });
    this.#db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    try {
      this.#db.exec('BEGIN IMMEDIATE');
    } finally {
      this.#db.pragma(`busy_timeout = ${waitMs}`);
    }
  }
}

function restore(path: string, source: string, aside: string): void {
  const copy = `${path}.held`;
  // The WAL-index is rebuilt by the next process that opens the database.
  const isIndex = path.endsWith('-shm');
  if (!isIndex) {
    copyFileSync(source, copy);
    syncToDisk(copy);
  }
  if (existsSync(path)) {
    makeFolder(aside);
    renameSync(path, join(aside, basename(path)));
  }
  if (isIndex) rmSync(path, { force: true });
  else renameSync(copy, path);
}

function identityOf(path: string): Identity | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

/** @returns the files that this process has open: by identity, a path by which each can be read */
function openFiles(): ReadonlyMap<Identity, string> {
  if (!existsSync(DESCRIPTORS)) return new Map();
  return new Map(
    readdirSync(DESCRIPTORS).flatMap((name) => {
      const path = join(DESCRIPTORS, name);
      const identity = identityOf(path);
      return identity === undefined ? [] : [[identity, path]];
    }),
  );
}
