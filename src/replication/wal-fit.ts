import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { openReader } from '../sqlite/open.ts';
import { commitPageOf, commitRowIn } from './restore/commit-row.ts';
import {
  FRAME_HEADER_BYTES,
  FRAME_SALT_AT,
  PAGE_SIZE_AT,
  SALT_AT,
  SALT_BYTES,
  WAL_HEADER_BYTES,
} from './wal-format.ts';

/**
 * SQLite knows a WAL by its own checksums, and does not ask whether the file beside it is the one that it was made for:
 * with another moment's file it gives a mixture that every check of it takes for whole. Each commit writes its number on
 * one page, though. What the file itself has there must be of the commit before the WAL's first one or of one of the WAL's.
 *
 * @param path a database that nobody has open for writing
 * @returns why a database and its WAL are of two moments; undefined when nothing says so
 */
export function misfitOf(path: string): string | undefined {
  const found = lastOf(path);
  const inWal = found && firstInWal(`${path}-wal`, found.page);
  if (!inWal) return undefined;
  const inFile = ordinalOn(readAt(path, (found.page - 1) * inWal.pageBytes, inWal.pageBytes));
  if (inFile === undefined) return undefined;
  if (inFile < inWal.ordinal - 1)
    return `its WAL goes on from commit ${inWal.ordinal - 1}, and the file without it ends with commit ${inFile}: they are of two moments`;
  if (inFile > found.ordinal)
    return `the file itself has commit ${inFile}, and with its WAL it ends with commit ${found.ordinal}: they are of two moments, or the WAL has lost its end`;
  return undefined;
}

/** @returns the page that has the number of the last commit, and that number; undefined where none is counted */
function lastOf(path: string): { readonly page: number; readonly ordinal: number } | undefined {
  const db = openReader(path);
  try {
    const page = commitPageOf(db);
    const ordinal = page && db.prepare<[], number>('SELECT ordinal FROM writer_commit').pluck().get();
    return page === undefined || ordinal === undefined ? undefined : { page, ordinal };
  } finally {
    db.close();
  }
}

function firstInWal(
  path: string,
  page: number,
): { readonly ordinal: number; readonly pageBytes: number } | undefined {
  const header = readAt(path, 0, WAL_HEADER_BYTES);
  if (!header) return undefined;
  const pageBytes = header.readUInt32BE(PAGE_SIZE_AT);
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  for (let offset = WAL_HEADER_BYTES; ; offset += frameBytes) {
    const frame = readAt(path, offset, FRAME_HEADER_BYTES);
    const isOfThis = frame?.compare(
      header,
      SALT_AT,
      SALT_AT + SALT_BYTES,
      FRAME_SALT_AT,
      FRAME_SALT_AT + SALT_BYTES,
    );
    if (!frame || isOfThis !== 0) return undefined;
    if (frame.readUInt32BE(0) !== page) continue;
    const ordinal = ordinalOn(readAt(path, offset + FRAME_HEADER_BYTES, pageBytes));
    return ordinal === undefined ? undefined : { ordinal, pageBytes };
  }
}

function ordinalOn(page: Buffer | undefined): number | undefined {
  return page && commitRowIn(page)?.ordinal;
}

/** @returns undefined when the file does not reach so far, or is not there */
function readAt(path: string, offset: number, bytes: number): Buffer | undefined {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < offset + bytes) return undefined;
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    return readSync(file, buffer, 0, bytes, offset) === bytes ? buffer : undefined;
  } finally {
    closeSync(file);
  }
}
