import { basename } from 'node:path';
import type { LitestreamLine } from './log-line.ts';
import { advisedReason } from './store/remedies.ts';

const FAILED = 'retainer error';
/** After a failure there is something to remove, so that the next success logs one of these. */
const REMOVED: readonly string[] = ['snapshot deleted', 'wal segmented deleted before'];

/**
 * Finds out from Litestream's log whether it removes what is older than its retention.
 *
 * States of a database: well → failing (Litestream logs that it could not) → well (it has removed something).
 */
export class Retention {
  readonly #failing = new Map<string, string>();

  onLine({ message, fields, shown }: LitestreamLine): void {
    const database = typeof fields.db === 'string' ? basename(fields.db, '.db') : '';
    if (message === FAILED) this.#failing.set(database, advisedReason(String(shown.fields.error ?? '')));
    if (REMOVED.includes(message)) this.#failing.delete(database);
  }

  /** What is wrong, for people; undefined when nothing is. */
  get trouble(): string | undefined {
    const [reason] = this.#failing.values();
    return (
      reason &&
      `what is older than REPLICA_RETENTION_MS cannot be removed from the replica, which grows without end: ${reason}`
    );
  }
}
