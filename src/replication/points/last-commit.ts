import { openReader } from '../../sqlite/open.ts';

/** Where a restored database ends. */
export interface LastCommit {
  /** How many commits the writer had made; 0 before its first. */
  readonly ordinal: number;
  /** Milliseconds since the epoch; 0 before the first. */
  readonly atMs: number;
}

/**
 * @param path a database that nobody writes
 * @returns its last commit by the writer; undefined when it knows of none
 */
export function readLastCommit(path: string): LastCommit | undefined {
  const db = openReader(path);
  try {
    const known = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'writer_commit'").get();
    if (!known) return undefined;
    const row = db
      .prepare<[], { ordinal: number; at_ms: number }>('SELECT ordinal, at_ms FROM writer_commit')
      .get();
    return row && { ordinal: row.ordinal, atMs: row.at_ms };
  } finally {
    db.close();
  }
}
