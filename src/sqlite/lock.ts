import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Failure } from '../errors.ts';

export interface Lock {
  release(): void;
}

/**
 * Takes the lock on a data folder. It is a lock of the kernel (through an empty SQLite file), so it goes with its
 * holder however that dies, and two who try at once cannot both have it.
 *
 * @param dataDir absolute; made with mode 0700 when it does not exist
 * @param purpose what the holder does, for whoever finds the folder locked
 * @throws Failure data_dir_locked, which says who holds it
 */
export function lockDataDir(dataDir: string, purpose: string): Lock {
  const runDir = join(dataDir, 'run');
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const holderPath = join(runDir, 'lock.json');
  const db = new Sqlite(join(runDir, 'lock'), { timeout: 0 });
  try {
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    throw new Failure('data_dir_locked', `${dataDir} is in use by ${describeHolder(holderPath)}`, {
      cause: error,
    });
  }
  const holder = { pid: process.pid, host: hostname(), purpose, since: new Date().toISOString() };
  try {
    writeFileSync(holderPath, JSON.stringify(holder), { mode: 0o600 });
  } catch {
    // A full disk: whoever finds the folder locked does not hear by whom.
  }
  return {
    release() {
      rmSync(holderPath, { force: true });
      db.close();
    },
  };
}

function describeHolder(path: string): string {
  try {
    const { pid, host, purpose, since } = JSON.parse(readFileSync(path, 'utf8'));
    return `process ${pid} on ${host} (${purpose}, since ${since})`;
  } catch {
    return 'another process';
  }
}
