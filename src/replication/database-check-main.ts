import Sqlite from 'better-sqlite3';
import { openReader } from '../sqlite/open.ts';
import type { CheckAnswer } from './database-check.ts';
import { errorCode } from './files.ts';

const PROBLEMS_MAX = 5;
/** What SQLite says of a file that is wrong in itself; anything else (rights, a busy lock, a failing disk) is not that. */
const DAMAGED = /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/;
/** The very first start was killed before the database was in WAL mode: only a writer can undo that. */
const NEEDS_ROLLBACK = /^SQLITE_READONLY_(ROLLBACK|RECOVERY|CANTINIT)/;

/** The entry of the process that checks one database, named in its arguments. Prints a `CheckAnswer`. */
const [path = '', pragma = 'quick_check'] = process.argv.slice(2);
process.stdout.write(JSON.stringify(answer()));

function answer(): CheckAnswer {
  try {
    try {
      return check();
    } catch (error) {
      if (!NEEDS_ROLLBACK.test(errorCode(error))) throw error;
      rollBack();
      return check();
    }
  } catch (error) {
    const code = errorCode(error);
    const problem = `${(error as Error).message} (${code})`;
    return DAMAGED.test(code) ? { healthy: false, problem } : { error: problem };
  }
}

/** Read-only: it recovers what the WAL holds without a checkpoint, so Litestream can go on where it was. */
function check(): CheckAnswer {
  const db = openReader(path);
  try {
    const rows = db.pragma(`${pragma}(${PROBLEMS_MAX})`) as Record<string, string>[];
    const problems = rows.map((row) => Object.values(row)[0]);
    if (problems.length === 1 && problems[0] === 'ok') return { healthy: true };
    return { healthy: false, problem: problems.join('; ') };
  } finally {
    db.close();
  }
}

function rollBack(): void {
  const db = new Sqlite(path, { fileMustExist: true });
  try {
    db.pragma('wal_autocheckpoint = 0');
    db.pragma('schema_version');
  } finally {
    db.close();
  }
}
