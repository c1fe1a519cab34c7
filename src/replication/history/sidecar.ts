import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../../sqlite/open.ts';
import { WalIndex } from '../../writer/wal-index.ts';
import { saltOf } from '../confirmation.ts';
import { databasePath, sidecarPath } from '../litestream-config.ts';
import type { SegmentRef } from './segment.ts';

const SALT_HEX_DIGITS = 8;
const SALT_MAX = 2 ** 32;

/** What Litestream 0.3 keeps beside a database: a copy of its WAL, and how far that is. */
export interface Sidecar {
  /** The generation that it goes on with. */
  readonly generation: string;
  /** Where its copy of the WAL ends: nothing in the replica that it has made is beyond. */
  readonly end: SegmentRef;
  /** Whether the database has everything that the copy has. Litestream then goes on with its generation. */
  readonly isContained: boolean;
}

/**
 * Makes Litestream begin a new generation, with a snapshot, when it starts next: the database has all that its copy of
 * the WAL has. Litestream must not run.
 */
export function removeSidecar(dataDir: string, database: string): void {
  rmSync(sidecarPath(databasePath(dataDir, database)), { recursive: true, force: true });
}

/** @returns the generation that Litestream writes for a database; undefined where none is known */
export function liveGeneration(databasePath: string): string | undefined {
  try {
    return readFileSync(join(sidecarPath(databasePath), 'generation'), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** A copy that Litestream 0.3 keeps of a WAL until that is replicated. */
export interface Shadow {
  /** Of the WAL in its generation. */
  readonly index: number;
  readonly path: string;
}

/** @returns the copies of the WALs of a database's live generation, in their order */
export function shadowsOf(databasePath: string): readonly Shadow[] {
  const folder = join(sidecarPath(databasePath), 'generations', liveGeneration(databasePath) ?? '', 'wal');
  try {
    return readdirSync(folder)
      .filter((name) => /^[0-9a-f]{8}\.wal$/.test(name))
      .sort()
      .map((name) => ({ index: Number.parseInt(name, 16), path: join(folder, name) }));
  } catch {
    return [];
  }
}

/**
 * Leaves a descriptor of the database's `-shm` open for good, so this is for a process that ends soon.
 *
 * @param db a connection to it
 * @returns undefined when there is none, or none that Litestream can go on with
 */
export function readSidecar(db: Database): Sidecar | undefined {
  const generation = liveGeneration(db.name);
  const newest = shadowsOf(db.name).at(-1);
  if (generation === undefined || newest === undefined) return undefined;
  try {
    const { index, path } = newest;
    const offsetBytes = statSync(path).size;
    return {
      generation,
      end: { generation, index, offsetBytes },
      isContained: isContained(db, path, offsetBytes),
    };
  } catch {
    return undefined;
  }
}

/**
 * The database's WAL is the one that was copied, and its commits reach as far; or it is the next one, which SQLite begins
 * only when the database itself has everything of the one before. The next one's first salt is higher by one
 * (https://sqlite.org/fileformat2.html#wal_file_format).
 */
function isContained(db: Database, shadowPath: string, shadowBytes: number): boolean {
  const shadowSalt = saltOf(shadowPath);
  const salt = saltOf(`${db.name}-wal`);
  if (shadowSalt === undefined || salt === undefined) return false;
  if (salt === shadowSalt) return committedBytes(db, salt) >= shadowBytes;
  const firstOf = (text: string) => Number.parseInt(text.slice(0, SALT_HEX_DIGITS), 16);
  return firstOf(salt) === (firstOf(shadowSalt) + 1) % SALT_MAX;
}

/** @returns where the last whole commit ends in the WAL, as SQLite recovers it */
function committedBytes(db: Database, salt: string): number {
  db.prepare('SELECT count(*) FROM sqlite_schema').get();
  const position = new WalIndex(db.name).readSettled();
  return position.salt === salt ? position.offsetBytes : 0;
}
