import type { Database } from 'better-sqlite3';
import { withoutComments } from '../sqlite/without-comments.ts';

// What an app's command may get wrong without taking the writer, and all other writes, along.

/** What would end the transaction that all operations of a commit share. */
const TRANSACTION_CONTROL =
  /(?:^|;)\s*(?:COMMIT|END\s*(?:;|TRANSACTION|$)|ROLLBACK(?!\s+(?:TRANSACTION\s+)?TO\b))/i;

/** @returns the connection as commands get it: it neither commits nor rolls back */
export function withoutControl(db: Database): Database {
  const refuse = (sql: string) => {
    if (TRANSACTION_CONTROL.test(withoutComments(sql)))
      throw new TypeError(`A command must not end the transaction that it runs in: ${sql.trim()}`);
  };
  const guarded: Database = Object.create(db);
  guarded.prepare = ((sql: string) => {
    refuse(sql);
    return db.prepare(sql);
  }) as Database['prepare'];
  guarded.exec = (sql) => {
    refuse(sql);
    db.exec(sql);
    return guarded;
  };
  return guarded;
}

/**
 * @returns `run`, which applies an operation
 * @throws TypeError when that is no function, or works on when its transaction has long been committed
 */
export function synchronous<Run>(name: string, run: Run): Run {
  if (typeof run !== 'function')
    throw new TypeError(`The command ${name} prepares ${describe(run)}; expected a function that applies it`);
  if (run.constructor.name === 'AsyncFunction')
    throw new TypeError(
      `The command ${name} is async; expected a synchronous function: wait before the write`,
    );
  return run;
}

/**
 * @returns `value`, which a command has returned
 * @throws TypeError for a promise, and for what JSON cannot hold: found when the commit is written, it would undo that of all
 */
export function answerable<Value>(value: Value): Value {
  if (value instanceof Promise) {
    // What comes of it is nobody's any more, and must not end the writer.
    value.catch(() => {});
    throw new TypeError(
      'A command has returned a promise; expected a synchronous one: wait before the write',
    );
  }
  if (value !== undefined && JSON.stringify(value) === undefined)
    throw new TypeError(`A command has returned ${describe(value)}; expected what JSON can hold`);
  return value;
}

function describe(value: unknown): string {
  return value instanceof Promise ? 'a promise' : typeof value;
}
