import type { Confirmation } from '../messages/confirmation.ts';
import type { LagReport, Trouble } from '../messages/messages.ts';
import { Failure } from '../platform/errors.ts';
import { historyOf } from '../replication/history/history.ts';
import type { Database } from '../sqlite/open.ts';
import { WalIndex } from '../sqlite/wal-index.ts';
import { monotonicNowMs } from '../writer-client/protocol.ts';
import { CheckpointWindow } from './checkpoint-window.ts';
import { HeldFiles } from './held-files.ts';
import { Lag } from './lag.ts';
import { WalWatch } from './wal-watch.ts';

/** The pause before a heartbeat doubles from the minimum to the maximum, as long as nothing arrives in the replica. */
const HEARTBEAT_MIN_MS = 1000;
const HEARTBEAT_MAX_MS = 60_000;
/** Most heartbeats without a confirmation. More only add to the backlog: Litestream restarts when the store is back. */
const HEARTBEATS_MAX = 16;

interface Waiting {
  readonly sequence: number;
  readonly giveUpMs: number;
  readonly done: (isReplicated: boolean) => void;
}

/**
 * The replication of one database, as its writer sees it. It knows which commits the replica has confirmed, and commits
 * heartbeats. Why heartbeats: after a failed upload Litestream waits for the next change of the WAL, which on an idle
 * database may take minutes. So when a commit stays unconfirmed and no other follows, the writer makes an empty commit,
 * at most `HEARTBEATS_MAX` of them until something arrives in the replica.
 */
export class Replication {
  readonly #lag = new Lag();
  readonly #walIndex: WalIndex;
  readonly #window: CheckpointWindow;
  readonly #heartbeat: (nowMs: number) => void;
  readonly #patienceMs: number;
  readonly #ownSession: string;
  /** Session of the last commit. A heartbeat counts as part of the commit before it. */
  #session: string;
  #ordinal: number;
  #lastCommitMs = monotonicNowMs();
  #waiting: Waiting[] = [];
  /** Number of heartbeats since the replica last received anything. */
  #heartbeats = 0;
  readonly #watch: WalWatch;
  readonly #files: HeldFiles;
  /** Why removed or exchanged files cannot be put back; undefined when all is well. */
  #unsafeBecause: string | undefined;

  /**
   * @param db the writer's connection, migrated
   * @param session random, new for each activation of a writer
   * @param syncIntervalMs how often Litestream uploads when all is well
   * @param monitorIntervalMs how often Litestream looks at the WAL
   */
  constructor(db: Database, session: string, syncIntervalMs: number, monitorIntervalMs: number) {
    this.#walIndex = new WalIndex(db.name);
    this.#watch = new WalWatch(db, this.#walIndex);
    this.#files = new HeldFiles(db);
    this.#window = new CheckpointWindow(monitorIntervalMs);
    this.#patienceMs = 2 * syncIntervalMs;
    // at_ms only ever increases, also when the clock is set back: it tells a restored copy from an older one.
    const beat = db.prepare('UPDATE writer_heartbeat SET at_ms = max(at_ms + 1, ?) WHERE id = 1');
    this.#heartbeat = (nowMs) => beat.run(nowMs);
    const { last, lastAtMs } = historyOf(db);
    this.#ownSession = session;
    this.#session = last?.session ?? session;
    this.#ordinal = last?.ordinal ?? 0;
    // It is not known yet whether the replica holds the commits of earlier writers: note them as unconfirmed.
    this.#note(lastAtMs);
  }

  /** Records a commit of this connection. */
  committed(atMs: number): void {
    this.#ordinal += 1;
    this.#session = this.#ownSession;
    this.#note(atMs);
  }

  #note(atMs: number, nowMs = monotonicNowMs()): void {
    this.#lastCommitMs = nowMs;
    const mark = { session: this.#session, ordinal: this.#ordinal, atMs };
    this.#lag.committed(this.#walIndex.read(), mark, this.#lastCommitMs);
  }

  /** Records how far the replica is. */
  confirmed(confirmation: Pick<Confirmation, 'salt' | 'offsetBytes' | 'generation'>): void {
    this.#watch.confirmed(confirmation.salt);
    // The store accepts uploads again. This one may belong to a WAL that began after the last commit, and then confirms
    // no commit; so heartbeats start again until one is confirmed.
    this.#heartbeats = 0;
    if (!this.#lag.confirmed(confirmation)) return;
    // The waiting callbacks are in the order of their commits, so the first unconfirmed one ends the loop.
    while (this.#waiting[0] && this.#waiting[0].sequence <= this.#lag.confirmedSequence) {
      this.#waiting.shift()?.done(true);
    }
  }

  /** Takes over the lag that the previous writer had reported. */
  behind({ lagMs, unconfirmedBytes }: Pick<LagReport, 'lagMs' | 'unconfirmedBytes'>): void {
    this.#lag.behind(monotonicNowMs() - lagMs, unconfirmedBytes);
  }

  /** Calls `done` when the replica holds everything committed so far (true), or after the timeout (false). */
  whenReplicated(timeoutMs: number, done: (isReplicated: boolean) => void): void {
    const { sequence } = this.#lag;
    if (sequence <= this.#lag.confirmedSequence) done(true);
    else this.#waiting.push({ sequence, giveUpMs: monotonicNowMs() + timeoutMs, done });
  }

  /** Calls back those whose timeout is over. */
  expire(): void {
    const nowMs = monotonicNowMs();
    const late = this.#waiting.filter(({ giveUpMs }) => nowMs > giveUpMs);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter(({ giveUpMs }) => nowMs <= giveUpMs);
    for (const { done } of late) done(false);
  }

  report(): LagReport {
    const nowMs = monotonicNowMs();
    return { ...this.#lag.report(nowMs), wal: this.#watch.report(nowMs) };
  }

  /**
   * Checks that the database files are still under their names, and puts them back when they are not.
   * @returns what had happened to the files, once they are back in place: this process may then commit nothing more
   */
  keepFiles(): string | undefined {
    try {
      this.#unsafeBecause = undefined;
      return this.#files.putBack();
    } catch (error) {
      this.#unsafeBecause = `somebody has removed or exchanged its files, and they cannot be put back yet: ${(error as Error).message}`;
      return undefined;
    }
  }

  /** Why writes are refused; undefined when they are accepted. */
  get refusal(): Failure | undefined {
    if (this.#unsafeBecause === undefined) return undefined;
    return new Failure('storage_full', `Nothing was written: ${this.#unsafeBecause}`, {
      retryAfterSeconds: 5,
    });
  }

  /**
   * Looks at the WAL, and cuts off the part of its file that is not needed. To be called between commits.
   * @param isShort whether the disk has little room
   */
  look(isShort: boolean): void {
    if (this.#unsafeBecause !== undefined) return;
    const nowMs = monotonicNowMs();
    this.#watch.look(nowMs);
    this.#watch.postpone(nowMs, isShort);
    this.#watch.trim(isShort);
  }

  /** Describes the process that keeps the database locked for writing; undefined when there is none. */
  get locker(): string | undefined {
    return this.#watch.locker(monotonicNowMs());
  }

  /** The problems of the WAL and of the database files. */
  problems(database: string): Trouble[] {
    const found = this.#watch.problems(database, monotonicNowMs());
    if (this.#unsafeBecause === undefined) return found;
    return [{ name: 'files', reason: `${database}: ${this.#unsafeBecause}` }, ...found];
  }

  /** @returns how long the next commit shall wait, in milliseconds, so that the WAL can restart; 0: not at all */
  waitMs(): number {
    return this.#window.waitMs(this.#walIndex.read(), monotonicNowMs());
  }

  /**
   * Commits a heartbeat when one is due; to be called outside of any transaction.
   * @param nowMs on the monotonic clock
   */
  beat(nowMs = monotonicNowMs()): void {
    const idleMs = nowMs - this.#lastCommitMs;
    const pauseMs = Math.min(HEARTBEAT_MAX_MS, HEARTBEAT_MIN_MS * 2 ** this.#heartbeats);
    if (this.#heartbeats === HEARTBEATS_MAX || idleMs < pauseMs) return;
    if (this.#lag.report(nowMs).lagMs < this.#patienceMs) return;
    const wallMs = Date.now();
    try {
      this.#heartbeat(wallMs);
    } catch {
      // The database is locked or the disk is full: the next write reports that to a client.
      return;
    }
    this.#heartbeats += 1;
    this.#note(wallMs, nowMs);
  }
}
