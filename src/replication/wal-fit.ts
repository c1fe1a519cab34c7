import { closeSync, openSync, readSync } from 'node:fs';
import { openReader } from '../sqlite/open.ts';
import { commitPageOf, commitRowIn } from './restore/commit-row.ts';
import { framesOf } from './wal.ts';

/**
 * Finds a database file and a WAL that do not belong together. SQLite verifies a WAL by its own checksums only, not
 * whether it was made for the file beside it. A file of another moment gives a mixture that may pass every check of
 * SQLite. But each commit writes its number on one page. The number in the file itself must be that of the commit
 * before the WAL's first one, or of a commit in the WAL.
 *
 * @param path a database that nobody has open for writing
 * @returns why a database and its WAL are of two moments; undefined when nothing shows that
 */
export function misfitOf(path: string): string | undefined {
  const found = lastOf(path);
  const inWal = found && firstOrdinalInWal(`${path}-wal`, found.page);
  if (!inWal) return undefined;
  const inFile = ordinalInFile(path, found.page, inWal.pageBytes);
  if (inFile === undefined) return undefined;
  if (inFile < inWal.ordinal - 1)
    return `its WAL goes on from commit ${inWal.ordinal - 1}, and the file without it ends with commit ${inFile}: they are of two moments`;
  if (inFile > found.ordinal)
    return `the file itself has commit ${inFile}, and with its WAL it ends with commit ${found.ordinal}: they are of two moments, or the WAL has lost its end`;
  return undefined;
}

/** @returns the page with the number of the last commit, and that number; undefined for a database without it */
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

/** @returns the number of the first commit in a WAL that has written that page, and the page size */
function firstOrdinalInWal(
  path: string,
  page: number,
): { readonly ordinal: number; readonly pageBytes: number } | undefined {
  for (const { page: each, image } of framesOf(path)) {
    if (each !== page) continue;
    const ordinal = commitRowIn(image)?.ordinal;
    return ordinal === undefined ? undefined : { ordinal, pageBytes: image.length };
  }
  return undefined;
}

/** @returns the number on that page of the file itself; undefined where the page has none */
function ordinalInFile(path: string, page: number, pageBytes: number): number | undefined {
  const file = openSync(path, 'r');
  try {
    const image = Buffer.alloc(pageBytes);
    const gotBytes = readSync(file, image, 0, pageBytes, (page - 1) * pageBytes);
    return gotBytes === pageBytes ? commitRowIn(image)?.ordinal : undefined;
  } finally {
    closeSync(file);
  }
}
