import type { Database } from '../../sqlite/open.ts';

/** The tables of Litestream and SQLite are not compared. */
const FOREIGN = /^(sqlite|_litestream)_/i;
const ROWID_NAMES = ['rowid', '_rowid_', 'oid'] as const;
/** A virtual table has its data in shadow tables, and those are compared. */
const STORED_TYPES = new Set(['table', 'shadow']);

/** A table as statements need it; the names are SQL, quoted where needed. */
export interface Table {
  /** Its name, unquoted, for people. */
  readonly label: string;
  readonly name: string;
  /** The columns that identify a row. */
  readonly key: readonly string[];
  readonly columns: readonly string[];
}

interface ListedTable {
  readonly schema: string;
  readonly name: string;
  readonly type: string;
  readonly wr: number;
}

interface ListedColumn {
  readonly name: string;
  readonly pk: number;
  readonly hidden: number;
}

/** @returns every table of a connection's main database that stores rows itself */
export function tablesOf(db: Database): Table[] {
  const listed = db.pragma('table_list') as ListedTable[];
  return listed
    .filter(({ schema, name, type }) => schema === 'main' && STORED_TYPES.has(type) && !FOREIGN.test(name))
    .map(({ name, wr }) => describe(db, name, wr === 1))
    .sort((a, b) => (a.label < b.label ? -1 : 1));
}

/** @returns the definition of everything in a database, by type and name */
export function schemaOf(db: Database, schema: 'main' | 'restored' = 'main'): Map<string, string | null> {
  const rows = db
    .prepare<[], { type: string; name: string; sql: string | null }>(
      `SELECT type, name, sql FROM ${schema}.sqlite_schema`,
    )
    .all();
  return new Map(
    rows.filter(({ name }) => !FOREIGN.test(name)).map(({ type, name, sql }) => [`${type} ${name}`, sql]),
  );
}

function describe(db: Database, name: string, isWithoutRowid: boolean): Table {
  const all = db
    .prepare<[string], ListedColumn>('SELECT name, pk, hidden FROM pragma_table_xinfo(?)')
    .all(name);
  // 1 is a hidden column of a virtual table; 2 and 3 are generated columns, virtual and stored.
  const columns = all.filter(({ hidden }) => hidden !== 1);
  const taken = new Set(columns.map((column) => column.name.toLowerCase()));
  const rowid = isWithoutRowid ? undefined : ROWID_NAMES.find((candidate) => !taken.has(candidate));
  const primaryKey = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  return {
    label: name,
    name: quote(name),
    key: rowid ? [rowid] : primaryKey.map((column) => quote(column.name)),
    columns: columns.map((column) => quote(column.name)),
  };
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
