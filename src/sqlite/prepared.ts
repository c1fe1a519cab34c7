import Sqlite from 'better-sqlite3';
import { Failure } from '../platform/errors.ts';

/**
 * Runs code that prepares statements on a connection, synchronously or by a promise.
 *
 * @param owner the feature, or part of the chassis, whose statements they are
 * @returns what `prepare` returns
 * @throws Failure migration_mismatch when a table or a column that the statements need is missing
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
  // SQLITE_ERROR: the statement is wrong, not the file or its locks.
  if (!(error instanceof Sqlite.SqliteError) || error.code !== 'SQLITE_ERROR') throw error;
  throw new Failure(
    'migration_mismatch',
    `The statements of ${owner} do not fit the database: ${error.message}`,
    { cause: error },
  );
}
