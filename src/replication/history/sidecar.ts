import { closeSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SegmentRef } from '../../messages/confirmation.ts';
import type { Database } from '../../sqlite/open.ts';
import { WalIndex } from '../../sqlite/wal-index.ts';
import type { ReplicaFormat } from '../binary.ts';
import { databasePath, sidecarPath } from '../litestream-config.ts';
import { isNextSalt, walHeaderOf } from '../wal.ts';
import { LTX_GENERATION, newestTxid } from './segment.ts';

/** The header of an LTX file, https://github.com/superfly/ltx; big-endian. */
const LTX_WAL_OFFSET_AT = 48;
const LTX_WAL_SIZE_AT = 56;
const LTX_SALT_AT = 64;
const LTX_HEADER_BYTES = 72;

/** What Litestream keeps beside a database: a copy of its WAL, and how far that reaches. */
export interface Sidecar {
  /** The generation that Litestream would continue. */
  readonly generation: string;
  /**
   * Where its copy of the WAL ends: this Litestream has uploaded nothing beyond. Litestream 0.5 counts transactions in
   * place of WALs.
   */
  readonly end: SegmentRef;
  /** Whether the database has everything that the copy has. Only then Litestream continues its generation. */
  readonly isContained: boolean;
}

/**
 * Makes Litestream begin a new generation, with a snapshot, at its next start. Litestream must not run, and the
 * database must have all that Litestream's copy of the WAL has.
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
  /** Number of the WAL in its generation. */
  readonly index: number;
  readonly path: string;
}

/** @returns the copies of the WALs of a database's live generation, oldest first */
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
 * Reads the sidecar of a database. It leaves a descriptor of the `-shm` open for good, so only a process that ends soon
 * may call it.
 *
 * @param db a connection to the database
 * @param format of the Litestream that is to run next
 * @returns undefined when there is no sidecar, or none that Litestream can continue
 */
export function readSidecar(db: Database, format: ReplicaFormat): Sidecar | undefined {
  return format === 'ltx' ? readLtxSidecar(db) : readWalSidecar(db);
}

function readWalSidecar(db: Database): Sidecar | undefined {
  const generation = liveGeneration(db.name);
  const newest = shadowsOf(db.name).at(-1);
  if (generation === undefined || newest === undefined) return undefined;
  try {
    const { index, path } = newest;
    const offsetBytes = statSync(path).size;
    return {
      generation,
      end: { generation, index, offsetBytes },
      isContained: isContained(db, walHeaderOf(path)?.salt, offsetBytes),
    };
  } catch {
    return undefined;
  }
}

/** Litestream 0.5 keeps the newest files that it uploaded. Their headers name the bytes of the WAL that they hold. */
function readLtxSidecar(db: Database): Sidecar | undefined {
  const folder = join(sidecarPath(db.name), 'ltx', '0');
  try {
    const newest = newestTxid(readdirSync(folder));
    if (!newest) return undefined;
    const header = Buffer.alloc(LTX_HEADER_BYTES);
    const file = openSync(join(folder, newest.file), 'r');
    try {
      readSync(file, header, 0, LTX_HEADER_BYTES, 0);
    } finally {
      closeSync(file);
    }
    const endBytes = header.readBigUInt64BE(LTX_WAL_OFFSET_AT) + header.readBigUInt64BE(LTX_WAL_SIZE_AT);
    const salt = header.toString('hex', LTX_SALT_AT, LTX_HEADER_BYTES);
    return {
      generation: LTX_GENERATION,
      end: { generation: LTX_GENERATION, index: newest.txid, offsetBytes: 0 },
      isContained: isContained(db, salt, Number(endBytes)),
    };
  } catch {
    return undefined;
  }
}

/**
 * True when the database's WAL is the copied one and its commits reach as far as the copy, or when it is the next WAL:
 * SQLite begins that only when the database file has everything of the WAL before. The first salt of the next WAL is
 * higher by one (https://sqlite.org/fileformat2.html#wal_file_format).
 */
function isContained(db: Database, shadowSalt: string | undefined, shadowBytes: number): boolean {
  const salt = walHeaderOf(`${db.name}-wal`)?.salt;
  if (shadowSalt === undefined || salt === undefined) return false;
  if (salt === shadowSalt) return committedBytes(db, salt) >= shadowBytes;
  return isNextSalt(shadowSalt, salt);
}

/** @returns where the last whole commit ends in the WAL, as SQLite's recovery finds it; 0 if that is another WAL */
function committedBytes(db: Database, salt: string): number {
  db.prepare('SELECT count(*) FROM sqlite_schema').get();
  const position = new WalIndex(db.name).readSettled();
  return position.salt === salt ? position.offsetBytes : 0;
}
