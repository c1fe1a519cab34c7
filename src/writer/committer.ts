import type { Database, Statement } from 'better-sqlite3';
import type { Command, CommandContext } from '../contract/command.ts';
import type { AppConfig } from '../contract/settings.ts';
import type { Observe } from '../metrics/app-metrics.ts';
import type { Observer } from '../metrics/observer.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import {
  type Idempotency,
  monotonicNowMs,
  type Outcome,
  refusal,
  writerMismatch,
} from '../writer-client/protocol.ts';
import type { ApplyingMark } from './applying-mark.ts';
import { answerable, synchronous, withoutControl } from './contained.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import { parseInput } from './input.ts';
import type { Ledger } from './ledger.ts';

/** Maximum number of operations in one commit. It bounds how long one commit blocks the event loop. */
const BATCH_MAX = 512;
/** Maximum number of blob bytes in one commit, for the same reason. */
const BATCH_BLOB_MAX_BYTES = 16 * 1024 * 1024;
/**
 * How long a commit waits for the write lock inside SQLite, which blocks the event loop; and the pause before the next
 * try. Litestream holds the lock only for moments.
 */
const BUSY_TIMEOUT_MS = 50;
const BUSY_RETRY_MS = 50;
/** SQLite's codes when a file cannot grow. A quota and a limit on the size of files are an I/O error to it. */
const NO_ROOM: Readonly<Record<string, string>> = {
  SQLITE_FULL: 'the disk is full',
  SQLITE_IOERR_WRITE:
    'the disk takes no more: look at the quota of this user, at RLIMIT_FSIZE (ulimit -f) and at the disk itself',
};
/** Without a write nobody knows whether there is room again. */
const FULL_TOLD_MS = 30_000;
const LOCK_RETRY_SECONDS = 5;
/** How often the committer checks whether commits are still held. */
const HELD_LOOK_MS = 10;

const SUSPENDED =
  'Nothing was written: it is not known whether this system still leads, or another has taken over';
const ENDED_WRITER =
  'Nothing was written: each time that this was applied, the writer ended. It is not tried again';
const NOT_YET_REPLICATED =
  'The write is applied and durable on this machine, and the replica has not confirmed it in time. Send it again to learn when it has.';

export interface Operation {
  readonly client: string;
  readonly seq: number;
  readonly name: string;
  readonly deadlineMonotonicMs: number;
  readonly input: unknown;
  readonly blob: Buffer | undefined;
  /** How long the reply may wait for the replica after the commit; 0: it does not wait. */
  readonly replicatedTimeoutMs: number;
  /** Names the write, when its sender may repeat it. */
  readonly idempotency?: Idempotency | undefined;
  /** Called exactly once: after the commit, or when the operation is refused. */
  readonly reply: (outcome: Outcome) => void;
}

interface Prepared {
  readonly command: Command;
  readonly run: (input: unknown, context: CommandContext) => unknown;
}

export interface CommitterOptions {
  readonly db: Database;
  readonly ledger: Ledger;
  readonly idempotencyKeys: IdempotencyKeys;
  readonly applyingMark: ApplyingMark;
  /** By full name, `feature.command`. */
  readonly commands: ReadonlyMap<string, Command>;
  readonly config: AppConfig;
  readonly queueMax: number;
  readonly log: Logger;
  /** Checks the metrics that the commands observe, and counts them. */
  readonly observer: Observer;
  /** Called for each new operation. Returns why it is refused, or undefined to accept it. */
  readonly refusal?: () => Failure | undefined;
  /** Called before each commit. Returns how long the commit shall wait, in milliseconds; 0: not at all. */
  readonly gate?: () => number;
  /** Called before each commit. While it returns true, the commit waits; that time does not count against deadlines. */
  readonly isHeld?: () => boolean;
  /**
   * Returns until when a commit may be made, on the monotonic clock: after that another system may lead. The caller
   * leaves room for the moment that a commit takes. Without this option there is no limit.
   */
  readonly mayCommitUntilMs?: () => number;
  /** Calls `done` when the replica holds everything committed so far (true), or after the timeout (false). */
  readonly whenReplicated?: (timeoutMs: number, done: (isReplicated: boolean) => void) => void;
  readonly onCommit?: (stats: { operations: number; durationMs: number; atMs: number }) => void;
}

/**
 * Group commit for one database. Operations wait in a queue. A commit takes all operations that have arrived, up to a
 * maximum, applies each in its own savepoint, and makes them durable with one fsync.
 *
 * States and who moves them: idle (the queue is empty) → scheduled (`submit`) → committing (next turn of the event
 * loop) → idle or scheduled. Scheduled → waiting (the gate, a hold, or another program's lock) → scheduled (timer).
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #prepared = new Map<string, Prepared>();
  readonly #statements: Record<'begin' | 'commit' | 'savepoint' | 'release' | 'undo', Statement>;
  #queue: Operation[] = [];
  /** The sequence number of the last accepted operation, by client. */
  readonly #lastSeqs = new Map<string, number>();
  #scheduled = false;
  /** When the present hold began to delay the queue. */
  #heldSinceMs: number | undefined;
  /** Metrics observed by the operations of the current commit. They are counted only if it succeeds. */
  #observed: (() => void)[] = [];
  readonly #observe: Observe;
  /** Why the last commit found no room, and when. */
  #fullBecause: string | undefined;
  #fullAtMs = 0;
  #idle: (() => void)[] = [];

  constructor(options: CommitterOptions) {
    this.#options = options;
    const { db, commands, observer } = options;
    this.#observe = (...observed: Parameters<Observer['checked']>) => {
      this.#observed.push(observer.checked(...observed));
    };
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    const guarded = withoutControl(db);
    for (const [name, command] of commands)
      this.#prepared.set(name, { command, run: synchronous(name, command.prepare(guarded)) });
    this.#statements = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      savepoint: db.prepare('SAVEPOINT operation'),
      release: db.prepare('RELEASE operation'),
      undo: db.prepare('ROLLBACK TO operation'),
    };
  }

  get ledger(): Ledger {
    return this.#options.ledger;
  }

  /** Why writes were refused a moment ago; undefined when they were not, or one has succeeded since. */
  get fullBecause(): string | undefined {
    return monotonicNowMs() < this.#fullAtMs + FULL_TOLD_MS ? this.#fullBecause : undefined;
  }

  get idempotencyKeys(): IdempotencyKeys {
    return this.#options.idempotencyKeys;
  }

  get queueLength(): number {
    return this.#queue.length;
  }

  /**
   * Queues an operation for the next commit, or refuses it at once when the queue is full or writes are closed. An
   * operation that was accepted before is not refused for these reasons when it is sent again: it may have been
   * applied.
   */
  submit(operation: Operation): void {
    const { client, seq } = operation;
    const known = this.ledger.find(client, seq);
    if (known) {
      this.#answer(operation, known);
      return;
    }
    const lastSeq = this.#lastSeqs.get(client) ?? 0;
    const noRoom = seq > lastSeq ? this.#noRoom() : undefined;
    const refused = noRoom ?? this.idempotencyKeys.enter(operation);
    if (refused) {
      operation.reply(refused);
      return;
    }
    this.#lastSeqs.set(client, Math.max(lastSeq, seq));
    this.#queue.push(operation);
    this.#schedule();
  }

  /** Forgets a client that will not come back. */
  forget(client: string): void {
    this.#lastSeqs.delete(client);
    this.ledger.forget(client);
  }

  /** @returns why new operations are refused; undefined when they are accepted */
  #noRoom(): Outcome | undefined {
    if (this.#queue.length >= this.#options.queueMax) {
      return refusal(new Failure('writer_busy', 'The writer has too much to do', { retryAfterSeconds: 1 }));
    }
    const failure = this.#options.refusal?.();
    return failure && refusal(failure);
  }

  /** Resolves when everything submitted so far is decided. */
  async drained(): Promise<void> {
    if (this.#queue.length === 0 && !this.#scheduled) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #schedule(delayMs = 0): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const run = () => {
      this.#scheduled = false;
      const waitMs = this.#waitMs();
      if (waitMs > 0) {
        this.#schedule(waitMs);
        return;
      }
      this.#commit();
      if (this.#queue.length > 0) this.#schedule();
      else if (!this.#scheduled) for (const resolve of this.#idle.splice(0)) resolve();
    };
    // setImmediate runs after this turn's socket reads, so everything that clients have sent goes into one commit.
    if (delayMs === 0) setImmediate(run);
    else setTimeout(run, delayMs);
  }

  #waitMs(): number {
    const { isHeld, gate } = this.#options;
    if (isHeld?.()) {
      this.#heldSinceMs ??= monotonicNowMs();
      return HELD_LOOK_MS;
    }
    if (this.#heldSinceMs !== undefined) {
      const heldMs = monotonicNowMs() - this.#heldSinceMs;
      this.#heldSinceMs = undefined;
      this.#queue = this.#queue.map((operation) => ({
        ...operation,
        deadlineMonotonicMs: operation.deadlineMonotonicMs + heldMs,
      }));
    }
    return gate?.() ?? 0;
  }

  #take(): Operation[] {
    let blobBytes = 0;
    let count = 0;
    for (const operation of this.#queue) {
      blobBytes += operation.blob?.length ?? 0;
      if (count > 0 && (count === BATCH_MAX || blobBytes > BATCH_BLOB_MAX_BYTES)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  #commit(): void {
    const batch = this.#take();
    if (batch.length === 0) return;
    const startMs = monotonicNowMs();
    const context = { nowMs: Date.now(), startMs };
    const outcomes: Outcome[] = [];
    const fresh = new Map<string, Map<number, Outcome>>();
    try {
      this.#demandTime();
      this.#statements.begin.run();
      for (const operation of batch) {
        const ofClient = fresh.get(operation.client);
        const known = this.ledger.find(operation.client, operation.seq) ?? ofClient?.get(operation.seq);
        const outcome = known ?? this.#applyOnce(operation, context);
        outcomes.push(outcome);
        if (known || isMismatch(outcome)) continue;
        if (ofClient) ofClient.set(operation.seq, outcome);
        else fresh.set(operation.client, new Map([[operation.seq, outcome]]));
      }
      this.#options.applyingMark.clear();
      this.ledger.stage(fresh, context.nowMs);
      this.idempotencyKeys.clean(context.nowMs);
      this.#demandTime();
      this.#statements.commit.run();
    } catch (error) {
      this.#recover(batch, error);
      return;
    }
    this.#fullBecause = undefined;
    this.ledger.hold(fresh);
    for (const count of this.#observed.splice(0)) count();
    this.#options.onCommit?.({
      operations: batch.length,
      durationMs: monotonicNowMs() - startMs,
      atMs: context.nowMs,
    });
    batch.forEach((operation, index) => {
      this.idempotencyKeys.leave(operation);
      this.#answer(operation, outcomes[index] as Outcome);
    });
  }

  /** Replies when the write is as durable as its client asked for. A refusal is sent at once. */
  #answer({ replicatedTimeoutMs, reply }: Operation, outcome: Outcome): void {
    const { whenReplicated } = this.#options;
    if (replicatedTimeoutMs === 0 || !whenReplicated || 'code' in outcome) {
      reply(outcome);
      return;
    }
    whenReplicated(replicatedTimeoutMs, (isReplicated) => {
      reply(isReplicated ? outcome : refusal(new Failure('replication_timeout', NOT_YET_REPLICATED)));
    });
  }

  #applyOnce(operation: Operation, context: { nowMs: number; startMs: number }): Outcome {
    const { idempotency } = operation;
    if (!idempotency) return this.#apply(operation, context);
    return this.idempotencyKeys.once(idempotency, context.nowMs, () => this.#apply(operation, context));
  }

  /**
   * Runs one operation in its savepoint. An error of the command refuses this operation alone. An error of the storage,
   * or one that has ended the transaction, is rethrown.
   */
  #apply(operation: Operation, { nowMs, startMs }: { nowMs: number; startMs: number }): Outcome {
    if (startMs > operation.deadlineMonotonicMs) {
      return refusal(
        new Failure('write_timeout', 'The write waited past its deadline', { retryAfterSeconds: 1 }),
      );
    }
    const { applyingMark } = this.#options;
    if (applyingMark.isRefused(operation, startMs)) {
      return refusal(new Failure('internal', ENDED_WRITER));
    }
    applyingMark.enter(operation, startMs);
    const prepared = this.#prepared.get(operation.name);
    if (!prepared) return refusal(writerMismatch());
    const input = parseInput(prepared.command, operation.input);
    if ('misfit' in input) {
      const { misfit } = input;
      this.#options.log.warn({ command: operation.name, field: misfit }, 'an input of another release');
      return refusal(writerMismatch());
    }
    const observedBefore = this.#observed.length;
    this.#statements.savepoint.run();
    try {
      const { config } = this.#options;
      const context = { blob: operation.blob, nowMs, config, observe: this.#observe };
      const value = answerable(prepared.run(input.value, context));
      this.#statements.release.run();
      return { value: value ?? null };
    } catch (error) {
      if (isStorageError(error) || !this.#options.db.inTransaction) throw error;
      this.#statements.undo.run();
      this.#statements.release.run();
      this.#observed.length = observedBefore;
      if (error instanceof Failure) return refusal(error);
      this.#options.log.error({ command: operation.name, err: error }, 'operation failed');
      return refusal(new Failure('internal', 'The operation failed'));
    }
  }

  /** Refuses the operations that have waited past their deadline for another program's lock. */
  #refuseLate(): void {
    const nowMs = monotonicNowMs();
    const isLate = ({ deadlineMonotonicMs }: Operation) => nowMs > deadlineMonotonicMs;
    const late = this.#queue.filter(isLate);
    if (late.length === 0) return;
    this.#queue = this.#queue.filter((operation) => !isLate(operation));
    const locked = new Failure(
      'write_timeout',
      'Nothing was written: another program has locked the database',
      {
        retryAfterSeconds: LOCK_RETRY_SECONDS,
      },
    );
    for (const operation of late) {
      this.idempotencyKeys.leave(operation);
      operation.reply(refusal(locked));
    }
  }

  /** Handles the failure of a whole batch: nothing of it is in the database. */
  #recover(batch: Operation[], error: unknown): void {
    const { db } = this.#options;
    if (db.inTransaction) db.exec('ROLLBACK');
    this.#observed = [];
    const code = sqliteCode(error);
    if (code.startsWith('SQLITE_BUSY')) {
      this.#queue = [...batch, ...this.#queue];
      this.#refuseLate();
      if (this.#queue.length > 0) this.#schedule(BUSY_RETRY_MS);
      return;
    }
    const because = NO_ROOM[code];
    if (because !== undefined) {
      this.#fullBecause = because;
      this.#fullAtMs = monotonicNowMs();
      this.#refuse(
        batch,
        new Failure('storage_full', `Nothing was written: ${because}`, { retryAfterSeconds: 5 }),
      );
      return;
    }
    if (error instanceof Failure) {
      this.#refuse(batch, error);
      return;
    }
    // After a failed fsync only recovery from the WAL can tell what the disk holds, so this process ends. The clients
    // keep these operations and send them to the next writer.
    throw error;
  }

  /** Refuses a batch, but answers an operation that an earlier commit has applied with its outcome. */
  #refuse(batch: readonly Operation[], failure: Failure): void {
    for (const operation of batch) {
      this.idempotencyKeys.leave(operation);
      this.#answer(operation, this.ledger.find(operation.client, operation.seq) ?? refusal(failure));
    }
  }

  /** @throws Failure not_ready when this system may not commit now (see `mayCommitUntilMs`) */
  #demandTime(): void {
    const untilMs = this.#options.mayCommitUntilMs?.() ?? Number.POSITIVE_INFINITY;
    if (monotonicNowMs() >= untilMs) throw new Failure('not_ready', SUSPENDED, { retryAfterSeconds: 1 });
  }
}

/**
 * @returns whether only a writer of another release can apply the operation. The ledger does not keep this outcome: if
 *   the client misses it, it sends the operation to the next writer, which may run that release.
 */
function isMismatch(outcome: Outcome): boolean {
  return 'code' in outcome && outcome.code === 'writer_mismatch';
}

function sqliteCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** @returns whether the error is about the storage, not about the operation */
function isStorageError(error: unknown): boolean {
  return /^SQLITE_(FULL|IOERR|CORRUPT|NOTADB|BUSY|NOMEM|READONLY|CANTOPEN)/.test(sqliteCode(error));
}
