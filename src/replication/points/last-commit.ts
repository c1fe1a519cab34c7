import type { Commit } from '../../messages/positions.ts';
import { openReader } from '../../sqlite/open.ts';

/** Where a restored database ends. */
export interface LastCommit extends Commit {
  /** When the writer last wrote anything at all, were it a heartbeat. */
  readonly activeAtMs: number;
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
    return db
      .prepare<[], LastCommit>(
        `SELECT ordinal, at_ms AS atMs,
           max(at_ms, (SELECT max(at_ms) FROM writer_heartbeat)) AS activeAtMs
         FROM writer_commit`,
      )
      .get();
  } finally {
    db.close();
  }
}
