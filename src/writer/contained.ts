import type { Database } from 'better-sqlite3';
import { withoutComments } from '../sqlite/without-comments.ts';

// Guards against mistakes in an app's command that would otherwise break the writer, and so all other writes.

/** Matches SQL that would end the transaction that all operations of a commit share. */
const TRANSACTION_CONTROL =
  /(?:^|;)\s*(?:COMMIT|END\s*(?:;|TRANSACTION|$)|ROLLBACK(?!\s+(?:TRANSACTION\s+)?TO\b))/i;

/** @returns the connection for commands: it throws TypeError for SQL that would commit or roll back */
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
 * @returns `run`, the function that applies an operation, unchanged
 * @throws TypeError when it is no function, or is async: it would go on after its transaction has committed
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
 * @returns `value`, which a command has returned, unchanged
 * @throws TypeError for a promise, and for a value that JSON cannot hold: found only later, when the outcomes are
 *   written, it would undo the whole commit
 */
export function answerable<Value>(value: Value): Value {
  if (value instanceof Promise) {
    // A rejection that nobody handles would end the writer.
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
