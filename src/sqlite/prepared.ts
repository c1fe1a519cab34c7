import Sqlite from 'better-sqlite3';
import { Failure } from '../platform/errors.ts';

/**
 * Runs what prepares statements on a connection, at once or by a promise.
 *
 * @param owner whose statements they are: a feature, or a part of the chassis
 * @returns what `prepare` returns
 * @throws Failure migration_mismatch when a table or a column that they need is not there
 */
export function prepared<Statements>(owner: string, prepare: () => Statements): Statements {
  try {
    const made = prepare();
    if (made instanceof Promise) return made.catch((error) => refuse(owner, error)) as Statements;
    return made;
  } catch (error) {
    return refuse(owner, error);
  }
}

function refuse(owner: string, error: unknown): never {
  // The code of what is wrong with the statement, not with the file or its locks.
  if (!(error instanceof Sqlite.SqliteError) || error.code !== 'SQLITE_ERROR') throw error;
  throw new Failure(
    'migration_mismatch',
    `The statements of ${owner} do not fit the database: ${error.message}`,
    { cause: error },
  );
}
