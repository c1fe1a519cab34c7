import type { Database, Statement } from 'better-sqlite3';
import { allCodes, Failure, isCode } from '../platform/errors.ts';
import { type Idempotency, type Outcome, refusal } from '../writer-client/protocol.ts';

const CLEAN_INTERVAL_MS = 1000;
/** How many rows are checked for their age in each interval, */
const CLEAN_ROWS = 200;
/** and how many more for each row that is added, so that old rows go faster than new ones come. */
const CLEAN_ROWS_AN_ADDED = 4;
const BEFORE_ALL: StoredKey = { owner: '', key: '' };
const IN_PROGRESS_RETRY_SECONDS = 1;

interface StoredKey {
  readonly owner: string;
  readonly key: string;
}

/** An operation, identified by its client and sequence number as in the ledger. */
interface Sent {
  readonly client: string;
  readonly seq: number;
  readonly idempotency?: Idempotency | undefined;
}

/**
 * Applies a write with an Idempotency-Key once, however often and by whomever it is sent, also when workers or writers
 * die.
 *
 * States of a key in one database: unknown → in progress (`enter`, when its operation is queued) → decided (`once`, in
 * the commit that applies it) → unknown (`clean`, when the retention time is over). In progress → unknown (`leave`)
 * when the write was not finally decided: the disk was full, or the deadline had passed.
 *
 * The ledger does the same for a client that sends an operation again under its sequence number. The ledger is asked
 * first, so that an operation sent again is not taken for a repetition of itself.
 */
export class IdempotencyKeys {
  readonly #retentionMs: number;
  readonly #inProgress = new Map<string, Sent & { readonly idempotency: Idempotency }>();
  readonly #select: Statement<[string, string, number], { fingerprint: string; outcome: string }>;
  readonly #insert: Statement;
  readonly #page: Statement<[string, string, number], StoredKey & { readonly atMs: number }>;
  readonly #delete: Statement<[string, string]>;
  #lastCleanMs = 0;
  #addedCount = 0;
  /** The last key that `clean` looked at. */
  #cleanedTo = BEFORE_ALL;

  /**
   * @param db the writer's connection, migrated
   * @param retentionMs how long an outcome is kept after its commit
   */
  constructor(db: Database, retentionMs: number) {
    this.#retentionMs = retentionMs;
    this.#select = db.prepare(
      'SELECT fingerprint, outcome FROM writer_idempotency WHERE owner = ? AND key = ? AND at_ms > ?',
    );
    this.#insert = db.prepare(
      'INSERT OR REPLACE INTO writer_idempotency (owner, key, fingerprint, outcome, at_ms) VALUES (?, ?, ?, ?, ?)',
    );
    this.#page = db.prepare(
      `SELECT owner, key, at_ms AS atMs FROM writer_idempotency WHERE (owner, key) > (?, ?) ORDER BY owner, key LIMIT ?`,
    );
    this.#delete = db.prepare('DELETE FROM writer_idempotency WHERE owner = ? AND key = ?');
  }

  /** @returns whether a write under this key is in progress in this database, or decided */
  has({ owner, key }: Idempotency, nowMs: number): boolean {
    return this.#inProgress.has(nameOf(owner, key)) || this.#find(owner, key, nowMs) !== undefined;
  }

  /** Records that an operation is queued. @returns its refusal when another operation with this key is in progress */
  enter(operation: Sent): Outcome | undefined {
    const { client, seq, idempotency } = operation;
    if (!idempotency) return undefined;
    const name = nameOf(idempotency.owner, idempotency.key);
    const other = this.#inProgress.get(name);
    if (other && (other.client !== client || other.seq !== seq)) {
      return refusal(
        isSameRequest(other.idempotency.fingerprint, idempotency.fingerprint)
          ? inProgress()
          : idempotencyMismatch(),
      );
    }
    this.#inProgress.set(name, { client, seq, idempotency });
    return undefined;
  }

  /** Records that an operation is no longer queued, whatever its outcome. */
  leave({ client, seq, idempotency }: Sent): void {
    if (!idempotency) return;
    const name = nameOf(idempotency.owner, idempotency.key);
    const entered = this.#inProgress.get(name);
    if (entered?.client === client && entered.seq === seq) this.#inProgress.delete(name);
  }

  /**
   * Inside a transaction: applies a write and stores its outcome in the same transaction; or, when the write was
   * decided before, returns that outcome.
   */
  once(idempotency: Idempotency, nowMs: number, apply: () => Outcome): Outcome {
    const { owner, key, fingerprint } = idempotency;
    const known = this.#find(owner, key, nowMs);
    if (known && !isSameRequest(known.fingerprint, fingerprint)) return refusal(idempotencyMismatch());
    if (known) return { ...(JSON.parse(known.outcome) as Outcome), replayed: true };
    const outcome = apply();
    if (isLasting(outcome)) {
      this.#insert.run(owner, key, fingerprint, JSON.stringify(outcome), nowMs);
      this.#addedCount += 1;
    }
    return outcome;
  }

  /**
   * Inside a transaction: from time to time, removes a few keys whose retention time is over. It goes through the keys
   * in their own order, not by age: an index on the time would cost every write with a key another page.
   */
  clean(nowMs: number): void {
    const isDue = nowMs < this.#lastCleanMs || nowMs - this.#lastCleanMs >= CLEAN_INTERVAL_MS;
    const rows = (isDue ? CLEAN_ROWS : 0) + CLEAN_ROWS_AN_ADDED * this.#addedCount;
    if (rows === 0) return;
    if (isDue) this.#lastCleanMs = nowMs;
    this.#addedCount = 0;
    const found = this.#page.all(this.#cleanedTo.owner, this.#cleanedTo.key, rows);
    for (const { owner, key, atMs } of found) {
      if (atMs <= nowMs - this.#retentionMs) this.#delete.run(owner, key);
    }
    this.#cleanedTo = found.length < rows ? BEFORE_ALL : found[found.length - 1]!;
  }

  #find(owner: string, key: string, nowMs: number): { fingerprint: string; outcome: string } | undefined {
    return this.#select.get(owner, key, nowMs - this.#retentionMs);
  }
}

/** @returns the refusal of a key that names another request */
export function idempotencyMismatch(): Failure {
  return new Failure(
    'idempotency_mismatch',
    'This Idempotency-Key was used for another request; a new request needs a new key',
  );
}

function inProgress(): Failure {
  return new Failure(
    'idempotency_in_progress',
    'The first request with this Idempotency-Key is not decided yet',
    {
      retryAfterSeconds: IN_PROGRESS_RETRY_SECONDS,
    },
  );
}

/**
 * @returns whether the outcome is kept. A command's refusal is kept, unless it says when to retry; a failure of the
 *   system (5xx) is not, and the next try runs the command again.
 */
function isLasting(outcome: Outcome): boolean {
  if ('value' in outcome) return true;
  if (outcome.options?.retryAfterSeconds !== undefined) return false;
  return isCode(outcome.code) && allCodes()[outcome.code].httpStatus < 500;
}

/**
 * Fingerprints of different versions cannot be compared. The equal key then decides that it is the same request: a
 * client that repeats a request after a deploy must not be told that its write has failed.
 */
function isSameRequest(one: string, other: string): boolean {
  return one === other || versionOf(one) !== versionOf(other);
}

/** @returns the part before the dot; empty for the fingerprints of the first releases, which have no dot */
function versionOf(fingerprint: string): string {
  return fingerprint.slice(0, Math.max(0, fingerprint.indexOf('.')));
}

function nameOf(owner: string, key: string): string {
  return JSON.stringify([owner, key]);
}
