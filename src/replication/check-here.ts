import Sqlite from 'better-sqlite3';
import { openReader } from '../sqlite/open.ts';
import { errorCode } from './files.ts';

const PROBLEMS_MAX = 5;
/** SQLite's codes for a damaged file; any other error (permissions, a busy lock, a failing disk) is no damage. */
const DAMAGED = /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/;
/** The very first start was killed before the database was in WAL mode: only a writer can undo that. */
const NEEDS_ROLLBACK = /^SQLITE_READONLY_(ROLLBACK|RECOVERY|CANTINIT)/;

/** Whether a database is sound, or why that could not be found out. */
export type CheckAnswer =
  | { readonly healthy: true }
  | { readonly healthy: false; readonly problem: string }
  | { readonly error: string; readonly details?: string };

export type Check = 'quick_check' | 'integrity_check';

/** Checks a database in this process, and blocks it meanwhile. No process may have the database open for writing. */
export function checkHere(path: string, check: Check): CheckAnswer {
  try {
    try {
      return run(path, check);
    } catch (error) {
      if (!NEEDS_ROLLBACK.test(errorCode(error))) throw error;
      rollBack(path);
      return run(path, check);
    }
  } catch (error) {
    const code = errorCode(error);
    const problem = `${(error as Error).message} (${code})`;
    return DAMAGED.test(code) ? { healthy: false, problem } : { error: problem };
  }
}

/** Opens read-only: that recovers the WAL without a checkpoint, so Litestream can continue where it was. */
function run(path: string, check: Check): CheckAnswer {
  const db = openReader(path);
  try {
    const rows = db.pragma(`${check}(${PROBLEMS_MAX})`) as Record<string, string>[];
    const problems = rows.map((row) => Object.values(row)[0]);
    if (problems.length === 1 && problems[0] === 'ok') return { healthy: true };
    return { healthy: false, problem: problems.join('; ') };
  } finally {
    db.close();
  }
}

function rollBack(path: string): void {
  const db = new Sqlite(path, { fileMustExist: true });
  try {
    db.pragma('wal_autocheckpoint = 0');
    db.pragma('schema_version');
  } finally {
    db.close();
  }
}
