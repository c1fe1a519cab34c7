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

/** A file as the kernel knows it, whatever its name. */
type Identity = string;

/**
 * The files of a database that this process has open. When somebody removes, moves or exchanges one, SQLite notices nothing
 * and goes on with what it has open: all that is committed then is gone with the last process that has it. States: held →
 * put back (`putBack` finds another file, or none, under a name); from then on nothing may be committed here.
 */
export class HeldFiles {
  readonly #db: Database;
  /** By path: the database, its WAL, and the index of that. */
  readonly #held: ReadonlyMap<string, Identity>;
  #done: string | undefined;

  /** @param db the writer's connection, in WAL mode and used already */
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
   * Puts what is open back into its place, where it is not there any more. What stands there is moved aside first.
   * @returns what has happened, for people, when it has; undefined where all is in place
   * @throws the system's error when it cannot
   */
  putBack(): string | undefined {
    this.#done ??= this.#putBack();
    return this.#done;
  }

  #putBack(): string | undefined {
    const lost = [...this.#held].filter(([path, identity]) => identityOf(path) !== identity);
    if (lost.length === 0) return undefined;
    const open = openFiles();
    // Where the kernel does not tell what is open, or tells the same file by another number, nothing is known.
    if (!lost.every(([, identity]) => open.has(identity))) return undefined;
    const names = lost.map(([path]) => basename(path)).join(', ');
    const folder = dirname(this.#db.name);
    const [[, identity = '']] = lost as [[string, Identity]];
    const place = readlinkSync(open.get(identity) as string);
    // With its folder: what is committed is there, and the primary ends the system.
    if (!isWorkingDirectory(folder) && !DELETED.test(place)) return undefined;
    // Nobody commits any more, neither this process nor another.
    this.#lock();
    try {
      makeFolder(folder);
      const aside = replacedFolder(folder, fileTime(Date.now()));
      // The database last: without it, its WAL is taken for no database.
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
  // The index is made anew by who opens the database next.
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

/** @returns what this process has open: by what it is, a path by which it can be read */
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
