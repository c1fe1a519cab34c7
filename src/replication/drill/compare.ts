import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database } from '../../sqlite/open.ts';
import { Differences, isSame, type Value } from './differences.ts';
import { schemaOf, type Table, tablesOf } from './tables.ts';

/** The event loop gets a turn after this many rows, for messages and an abort. */
const ROWS_A_TURN = 20_000;
/** Values of the chassis that only ever grow: a copy with a lower one lacks a commit that it must have. */
const GROWING = [
  { table: 'writer_commit', column: 'ordinal' },
  { table: 'writer_heartbeat', column: 'at_ms' },
] as const;

export interface CompareOptions {
  /** A connection inside a read transaction: the live database before the restore. */
  readonly before: Database;
  /** Another one: the live database after the restore. */
  readonly after: Database;
  /** The restored copy, of a state between the two. */
  readonly restoredPath: string;
  readonly signal: AbortSignal;
}

export interface Comparison {
  readonly differences: Differences;
  readonly rowsCompared: number;
  readonly rowsSkipped: number;
  /** The schema changed meanwhile, so that the rows could not be compared. */
  readonly isMigrating: boolean;
}

/**
 * Compares every row of a restored copy with the live database, which changes meanwhile. A row that is the same before
 * and after must be the same in the copy. A row that is not is skipped, since nobody knows when it changed. A row that
 * only the copy has is wrong too, unless it came and went meanwhile. SQLite reads the tables in the order of their
 * keys, so that memory does not grow with them.
 *
 * @throws the signal's reason when aborted; SQLite's error when a file is damaged
 */
export async function compare(options: CompareOptions): Promise<Comparison> {
  const { before, after, restoredPath } = options;
  before.prepare('ATTACH ? AS restored').run(restoredPath);
  const differences = new Differences();
  let rowsCompared = 0;
  let rowsSkipped = 0;
  if (!isSameMap(schemaOf(before), schemaOf(after))) {
    return { differences, rowsCompared, rowsSkipped, isMigrating: true };
  }
  compareSchemas(before, differences);
  if (differences.count > 0) return { differences, rowsCompared, rowsSkipped, isMigrating: false };
  for (const table of tablesOf(before)) {
    const { compared, skipped } = await compareTable(table, options, differences);
    rowsCompared += compared;
    rowsSkipped += skipped;
    compareGrowing(table, before, differences);
  }
  return { differences, rowsCompared, rowsSkipped, isMigrating: false };
}

async function compareTable(
  table: Table,
  { before, after, signal }: CompareOptions,
  differences: Differences,
): Promise<{ compared: number; skipped: number }> {
  const { label, name, key, columns } = table;
  const rowOf = (db: Database, schema: string) => {
    const where = key.map((part) => `${part} = ?`).join(' AND ');
    const get = db.prepare<Value[]>(`SELECT ${columns.join(', ')} FROM ${schema}.${name} WHERE ${where}`);
    get.raw().safeIntegers();
    return (values: readonly Value[]) => get.get(...values) as Value[] | undefined;
  };
  const inBefore = rowOf(before, 'main');
  const inRestored = rowOf(before, 'restored');
  const inAfter = rowOf(after, 'main');
  const list = (of: string) => key.map((part) => `${of}.${part}`).join(', ');
  const joined = key.map((part) => `r.${part} = p.${part}`).join(' AND ');
  const same = columns.map((column) => `p.${column} IS r.${column} COLLATE BINARY`).join(' AND ');
  const isThere = (of: string) => `${of}.${key[0]} IS NOT NULL`;

  let compared = 0;
  let skipped = 0;
  const all = rows(
    before,
    `SELECT ${list('p')}, ${isThere('r')} AND ${same} FROM main.${name} p
    LEFT JOIN restored.${name} r ON ${joined}`,
  );
  for (const values of all) {
    compared += 1;
    if (compared % ROWS_A_TURN === 0) await turn(signal);
    if (values.pop() === 1n) continue;
    const restored = inRestored(values);
    if (!isSame(inBefore(values), inAfter(values))) skipped += 1;
    else differences.add(restored ? 'different' : 'missing', label, values, restored);
  }
  const extra = rows(
    before,
    `SELECT ${list('r')} FROM restored.${name} r
    LEFT JOIN main.${name} p ON ${joined} WHERE NOT (${isThere('p')})`,
  );
  for (const values of extra) {
    compared += 1;
    if (compared % ROWS_A_TURN === 0) await turn(signal);
    if (inAfter(values)) skipped += 1;
    else differences.add('unknown', label, values, inRestored(values));
  }
  await turn(signal);
  return { compared: compared - skipped, skipped };
}

/** @returns the rows one by one, each as an array of its own */
function rows(db: Database, sql: string): IterableIterator<Value[]> {
  return db.prepare(sql).raw().safeIntegers().iterate() as IterableIterator<Value[]>;
}

/** A row that changed meanwhile may differ, but a growing value must not be lower than before the restore. */
function compareGrowing({ label, name }: Table, db: Database, differences: Differences): void {
  const growing = GROWING.find(({ table }) => table === label);
  if (!growing) return;
  const get = (schema: string) =>
    Number(db.prepare(`SELECT max(${growing.column}) FROM ${schema}.${name}`).pluck().get() ?? 0);
  if (get('restored') < get('main')) differences.add('behind', label, [], undefined);
}

function compareSchemas(db: Database, differences: Differences): void {
  const live = schemaOf(db);
  const restored = schemaOf(db, 'restored');
  for (const name of new Set([...live.keys(), ...restored.keys()])) {
    if (!restored.has(name)) differences.add('missing', `the schema (${name})`, [], undefined);
    else if (!live.has(name)) differences.add('unknown', `the schema (${name})`, [], undefined);
    else if (live.get(name) !== restored.get(name))
      differences.add('different', `the schema (${name})`, [], undefined);
  }
}

function isSameMap(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.has(name) && b.get(name) === value);
}

async function turn(signal: AbortSignal): Promise<void> {
  await nextTurn();
  signal.throwIfAborted();
}
