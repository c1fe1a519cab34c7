import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';

/** How many earlier copies are kept. */
const MOMENTS_MAX = 4;

/** The data folder of a stopped system, and earlier copies of it. */
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

  /** Earlier copies, the oldest first. */
  get moments(): readonly string[] {
    return this.#moments;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Keeps a copy of the current state. */
  remember(): void {
    this.#count += 1;
    const copy = join(this.#copies, String(this.#count));
    copyFolder(this.path, copy);
    this.#moments.push(copy);
    for (const old of this.#moments.splice(0, this.#moments.length - MOMENTS_MAX)) remove(old);
  }

  /** Removes the earlier copies, which do not belong to the history that begins now. */
  forget(): void {
    for (const old of this.#moments.splice(0)) remove(old);
  }

  /** Removes its content. */
  empty(): void {
    for (const name of readdirSync(this.path)) remove(join(this.path, name));
  }

  /** Replaces its content by that of another folder; every file is a new one. */
  become(folder: string): void {
    this.empty();
    copyFolder(folder, this.path);
  }

  /** Replaces some files by those of an earlier copy; removes a file that the copy does not have. */
  putBack(moment: string, names: readonly string[]): void {
    for (const name of names) {
      remove(this.file(name));
      if (existsSync(join(moment, name))) copyFolder(join(moment, name), this.file(name));
    }
  }

  /** The texts of the events, the oldest first. */
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

  /** The keys of the alerts in the database. */
  keys(): ReadonlySet<string> {
    const db = new Sqlite(this.file('main.db'), { readonly: true, fileMustExist: true });
    try {
      return new Set(db.prepare<[], string>('SELECT movie_id FROM alerts').pluck().all());
    } finally {
      db.close();
    }
  }
}

/** Copies a folder without its sockets. */
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
