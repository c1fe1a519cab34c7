import type { Commit } from '../../messages/positions.ts';
import { openReader } from '../../sqlite/open.ts';

/** The last commit of a restored database. */
export interface LastCommit extends Commit {
  /** When the writer last wrote anything, a heartbeat included. */
  readonly activeAtMs: number;
}

/**
 * @param path a database that nobody writes
 * @returns the writer's last commit; undefined for a database that does not count commits
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
