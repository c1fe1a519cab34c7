import type { Database, Statement } from 'better-sqlite3';
import { allCodes, Failure, isCode } from '../platform/errors.ts';
import { type Idempotency, type Outcome, refusal } from '../writer-client/protocol.ts';

const CLEAN_INTERVAL_MS = 1000;
/** How many rows are looked at in that time, */
const CLEAN_ROWS = 200;
/** and for each that is added: old ones go faster than new ones come. */
const CLEAN_ROWS_AN_ADDED = 4;
const BEFORE_ALL: StoredKey = { owner: '', key: '' };
const IN_PROGRESS_RETRY_SECONDS = 1;

interface StoredKey {
  readonly owner: string;
  readonly key: string;
}

/** An operation of a client, as the ledger knows it too. */
interface Sent {
  readonly client: string;
  readonly seq: number;
  readonly idempotency?: Idempotency | undefined;
}

/**
 * Applies each write that has an Idempotency-Key once, whoever sends it how often, over the deaths of workers and
 * writers. A key of one database is: unknown → in progress (`enter`, when its operation is queued) → decided (`once`,
 * in the commit that applies it) → unknown (its time is over: `clean`). From in progress it becomes unknown again when
 * the write was not decided for good (`leave`): the disk was full, or the deadline was over.
 *
 * The ledger does the same for one client that sends an operation again under its number; it comes first, so that an
 * operation is no repetition of itself.
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
  /** The last that was looked at. */
  #cleanedTo = BEFORE_ALL;

  /**
   * @param db the writer's connection, migrated
   * @param retentionMs how long an outcome is kept
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

  /** @returns whether a write under this key is in progress here, or was decided */
  has({ owner, key }: Idempotency, nowMs: number): boolean {
    return this.#inProgress.has(nameOf(owner, key)) || this.#find(owner, key, nowMs) !== undefined;
  }

  /** Takes note that an operation is queued. @returns why it may not be: another one of its key is */
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

  /** Takes note that an operation is no longer queued, whatever became of it. */
  leave({ client, seq, idempotency }: Sent): void {
    if (!idempotency) return;
    const name = nameOf(idempotency.owner, idempotency.key);
    const entered = this.#inProgress.get(name);
    if (entered?.client === client && entered.seq === seq) this.#inProgress.delete(name);
  }

  /**
   * Inside a transaction: applies a write, and keeps its outcome in the same transaction; or answers what became of it
   * the first time.
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
   * Inside a transaction: removes a few of those whose time is over, now and then. It goes round in the order of the keys, not
   * of their times: an index of those would cost every write with a key another page.
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
 * What a command refuses it refuses for good, unless it says when to come back; what
 * the system could not do is tried anew.
 */
function isLasting(outcome: Outcome): boolean {
  if ('value' in outcome) return true;
  if (outcome.options?.retryAfterSeconds !== undefined) return false;
  return isCode(outcome.code) && allCodes()[outcome.code].httpStatus < 500;
}

/**
 * Fingerprints of different versions cannot be compared: the key alone then says that it is the same request, lest a client
 * that repeats it over a deploy be told that its write has failed.
 */
function isSameRequest(one: string, other: string): boolean {
  return one === other || versionOf(one) !== versionOf(other);
}

/** What stands before the dot; those of the first releases have none. */
function versionOf(fingerprint: string): string {
  return fingerprint.slice(0, Math.max(0, fingerprint.indexOf('.')));
}

function nameOf(owner: string, key: string): string {
  return JSON.stringify([owner, key]);
}
