import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';

/** How many earlier moments are kept. */
const MOMENTS_MAX = 4;

/** The data folder of a system that does not run, and copies of it as it was. */
export class DataFolder {
  readonly path: string;
  readonly #copies: string;
  #moments: string[] = [];
  #count = 0;

  /** @param copies a folder that does not exist yet */
  constructor(path: string, copies: string) {
    this.path = path;
    this.#copies = copies;
    mkdirSync(copies);
  }

  /** Earlier moments, the oldest first. */
  get moments(): readonly string[] {
    return this.#moments;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Keeps a copy of how it is now. */
  remember(): void {
    this.#count += 1;
    const copy = join(this.#copies, String(this.#count));
    copyFolder(this.path, copy);
    this.#moments.push(copy);
    for (const old of this.#moments.splice(0, this.#moments.length - MOMENTS_MAX)) remove(old);
  }

  /** Forgets the earlier moments: none of them is of what comes now. */
  forget(): void {
    for (const old of this.#moments.splice(0)) remove(old);
  }

  /** Removes what is in it. */
  empty(): void {
    for (const name of readdirSync(this.path)) remove(join(this.path, name));
  }

  /** Puts another folder in its place, each file as a new one. */
  become(folder: string): void {
    this.empty();
    copyFolder(folder, this.path);
  }

  /** Puts some files of an earlier moment in the place of those that are here; one that was not there then is removed. */
  putBack(moment: string, names: readonly string[]): void {
    for (const name of names) {
      remove(this.file(name));
      if (existsSync(join(moment, name))) copyFolder(join(moment, name), this.file(name));
    }
  }

  /** What was told as an event, a text each, the oldest first. */
  events(): readonly string[] {
    const path = this.file('run/events.jsonl');
    if (!existsSync(path)) return [];
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { kind: string; cause?: string })
      .filter(({ kind }) => ['history', 'restored'].includes(kind))
      .map(({ kind, cause }) => `${kind}: ${cause}`);
  }

  /** Keys of the alerts, as a reader sees them. */
  keys(): ReadonlySet<string> {
    const db = new Sqlite(this.file('main.db'), { readonly: true, fileMustExist: true });
    try {
      return new Set(db.prepare<[], string>('SELECT movie_id FROM alerts').pluck().all());
    } finally {
      db.close();
    }
  }
}

/** A folder may have sockets, which are nobody's to copy. */
export function copyFolder(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    preserveTimestamps: true,
    filter: (path) => ['isFile', 'isDirectory'].some((is) => statSync(path)[is as 'isFile']()),
  });
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}
