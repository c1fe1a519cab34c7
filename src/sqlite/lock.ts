import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Failure } from '../platform/errors.ts';
import { isDiskFull } from '../platform/free-disk.ts';
import { prepareDataDir, unusable } from './data-dir.ts';

const RUN_FOLDER = 'run';
const LOCK_FILE = 'lock';
/** Names the holder of the lock, for people. */
const HOLDER_FILE = 'lock.json';

export interface Lock {
  release(): void;
}

/** The lock on a data folder. */
export interface DataLock extends Lock {
  /**
   * Takes the lock again when its file was removed: another system would find no lock, and start.
   * @returns whether the file had been removed
   * @throws Failure data_dir_locked when another system has the lock by now; otherwise as `lockDataDir`
   */
  keep(): boolean;
}

/**
 * Takes the lock on a data folder. It is a kernel lock (through an empty SQLite file), so it ends with its holder,
 * however that dies, and two processes that try at the same time cannot both get it.
 *
 * @param dataDir absolute; made with mode 0700 when it does not exist
 * @param purpose what the holder does; named in the error of those who find the folder locked
 * @throws Failure data_dir_locked, which says who holds it; data_dir_unusable, which says what to do
 */
export function lockDataDir(dataDir: string, purpose: string): DataLock {
  const runDir = join(dataDir, RUN_FOLDER);
  const inode = () => statSync(join(runDir, LOCK_FILE), { throwIfNoEntry: false })?.ino;
  let db = take(dataDir, purpose);
  let held = inode();
  return {
    keep() {
      if (inode() === held) return false;
      const former = db;
      db = take(dataDir, purpose);
      held = inode();
      former.close();
      return true;
    },
    release() {
      rmSync(join(runDir, HOLDER_FILE), { force: true });
      db.close();
    },
  };
}

function take(dataDir: string, purpose: string): Sqlite.Database {
  const runDir = prepareDataDir(dataDir);
  const holderPath = join(runDir, HOLDER_FILE);
  const db = open(dataDir, join(runDir, LOCK_FILE));
  try {
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (!isBusy(error)) throw unusable(dataDir, error);
    throw new Failure('data_dir_locked', `${dataDir} is in use by ${holderOf(dataDir).description}`, {
      cause: error,
    });
  }
  const holder = { pid: process.pid, host: hostname(), purpose, since: new Date().toISOString() };
  try {
    writeFileSync(holderPath, JSON.stringify(holder), { mode: 0o600 });
  } catch (error) {
    // On a full disk the holder is not recorded, but the lock is held nevertheless.
    if (!isDiskFull(error)) {
      db.close();
      throw unusable(dataDir, error);
    }
  }
  return db;
}

/**
 * Does the same as `lockDataDir`.
 * @returns undefined when another process holds it.
 * @throws Failure data_dir_unusable
 */
export function lockUnlessHeld(dataDir: string, purpose: string): Lock | undefined {
  try {
    return lockDataDir(dataDir, purpose);
  } catch (error) {
    if (error instanceof Failure && error.code === 'data_dir_locked') return undefined;
    throw error;
  }
}

/**
 * Takes the same kind of lock on any file, which is made when it does not exist.
 * @returns undefined when another process holds it
 * @throws SqliteError when the file cannot be locked
 */
export function lockFile(path: string): Lock | undefined {
  const db = new Sqlite(path, { timeout: 0 });
  try {
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    return { release: () => void db.close() };
  } catch (error) {
    db.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}

function open(dataDir: string, path: string): Sqlite.Database {
  try {
    return new Sqlite(path, { timeout: 0 });
  } catch (error) {
    throw unusable(dataDir, error);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

/** @returns the last recorded holder of the lock; its process id only if it ran on this machine */
export function holderOf(dataDir: string): { pid: number | undefined; description: string } {
  try {
    const path = join(dataDir, RUN_FOLDER, HOLDER_FILE);
    const { pid, host, purpose, since } = JSON.parse(readFileSync(path, 'utf8'));
    const description = `process ${pid} on ${host} (${purpose}, since ${since})`;
    return { pid: host === hostname() ? pid : undefined, description };
  } catch {
    return { pid: undefined, description: 'another process' };
  }
}
