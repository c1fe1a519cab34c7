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

/** The pause before each heartbeat that follows another, as long as nothing of them arrives. */
const HEARTBEAT_MIN_MS = 1000;
const HEARTBEAT_MAX_MS = 60_000;
/** More of them would only add to what a dead store cannot take: when it is back, Litestream is restarted. */
const HEARTBEATS_MAX = 16;

interface Waiting {
  readonly sequence: number;
  readonly giveUpMs: number;
  readonly done: (isReplicated: boolean) => void;
}

/**
 * The replication of one database as its writer sees it: which commits are confirmed, and the heartbeat that makes
 * Litestream try again. After a failed upload it waits for the next change of the WAL, on an idle database for
 * minutes; so while a commit is unconfirmed for long and no other follows, an empty one does, and a few more.
 */
export class Replication {
  readonly #lag = new Lag();
  readonly #walIndex: WalIndex;
  readonly #window: CheckpointWindow;
  readonly #heartbeat: (nowMs: number) => void;
  readonly #patienceMs: number;
  readonly #ownSession: string;
  /** Of the last commit; a heartbeat has that of the commit before it. */
  #session: string;
  #ordinal: number;
  #lastCommitMs = monotonicNowMs();
  #waiting: Waiting[] = [];
  /** Since anything has last arrived in the replica. */
  #heartbeats = 0;
  readonly #watch: WalWatch;
  readonly #files: HeldFiles;
  /** Why files that somebody has removed cannot be put back. */
  #unsafeBecause: string | undefined;

  /**
   * @param db the writer's connection, migrated
   * @param session random, of this activation of a writer
   * @param syncIntervalMs how often Litestream uploads when all is well
   * @param monitorIntervalMs how often it looks at the WAL
   */
  constructor(db: Database, session: string, syncIntervalMs: number, monitorIntervalMs: number) {
    this.#walIndex = new WalIndex(db.name);
    this.#watch = new WalWatch(db, this.#walIndex);
    this.#files = new HeldFiles(db);
    this.#window = new CheckpointWindow(monitorIntervalMs);
    this.#patienceMs = 2 * syncIntervalMs;
    // Only ever forwards, also when the clock is set back: a restored copy is told by it from an older one.
    const beat = db.prepare('UPDATE writer_heartbeat SET at_ms = max(at_ms + 1, ?) WHERE id = 1');
    this.#heartbeat = (nowMs) => beat.run(nowMs);
    const { last, lastAtMs } = historyOf(db);
    this.#ownSession = session;
    this.#session = last?.session ?? session;
    this.#ordinal = last?.ordinal ?? 0;
    // Whether what an earlier writer committed is in the replica is not known yet.
    this.#note(lastAtMs);
  }

  /** Takes note that this connection has committed writes. */
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

  /** Takes note of how far the replica is. */
  confirmed(confirmation: Pick<Confirmation, 'salt' | 'offsetBytes' | 'generation'>): void {
    this.#watch.confirmed(confirmation.salt);
    // The store takes something, though it may be of a WAL that was begun after the last commit: then a heartbeat tells.
    this.#heartbeats = 0;
    if (!this.#lag.confirmed(confirmation)) return;
    // In the order of their commits: the first that is not confirmed ends it.
    while (this.#waiting[0] && this.#waiting[0].sequence <= this.#lag.confirmedSequence) {
      this.#waiting.shift()?.done(true);
    }
  }

  /** Takes over from the writer before how far the replica was behind. */
  behind({ lagMs, unconfirmedBytes }: Pick<LagReport, 'lagMs' | 'unconfirmedBytes'>): void {
    this.#lag.behind(monotonicNowMs() - lagMs, unconfirmedBytes);
  }

  /** Calls back when the replica holds everything committed so far, or when the time is up. */
  whenReplicated(timeoutMs: number, done: (isReplicated: boolean) => void): void {
    const { sequence } = this.#lag;
    if (sequence <= this.#lag.confirmedSequence) done(true);
    else this.#waiting.push({ sequence, giveUpMs: monotonicNowMs() + timeoutMs, done });
  }

  /** Tells those whose time is up. */
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
   * Makes sure that what was committed can be found under the names of its files.
   * @returns what has happened to them, once they are in their places again, and nothing may be committed any more
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

  /** Why nothing is accepted; undefined when it is. */
  get refusal(): Failure | undefined {
    if (this.#unsafeBecause === undefined) return undefined;
    return new Failure('storage_full', `Nothing was written: ${this.#unsafeBecause}`, {
      retryAfterSeconds: 5,
    });
  }

  /**
   * Looks at the WAL, and cuts off what it no longer needs; between commits.
   * @param isShort whether the disk has little room
   */
  look(isShort: boolean): void {
    if (this.#unsafeBecause !== undefined) return;
    const nowMs = monotonicNowMs();
    this.#watch.look(nowMs);
    this.#watch.postpone(nowMs, isShort);
    this.#watch.trim(isShort);
  }

  /** Who keeps the database locked for writes, for people; undefined when nobody does. */
  get locker(): string | undefined {
    return this.#watch.locker(monotonicNowMs());
  }

  /** What is out of order with the WAL. */
  problems(database: string): Trouble[] {
    const found = this.#watch.problems(database, monotonicNowMs());
    if (this.#unsafeBecause === undefined) return found;
    return [{ name: 'files', reason: `${database}: ${this.#unsafeBecause}` }, ...found];
  }

  /** @returns how long the next commit shall wait, so that the WAL can begin anew; 0 to go on */
  waitMs(): number {
    return this.#window.waitMs(this.#walIndex.read(), monotonicNowMs());
  }

  /** Commits a heartbeat when one is due; outside of any transaction. @param nowMs on the clock that nobody can set */
  beat(nowMs = monotonicNowMs()): void {
    const idleMs = nowMs - this.#lastCommitMs;
    const pauseMs = Math.min(HEARTBEAT_MAX_MS, HEARTBEAT_MIN_MS * 2 ** this.#heartbeats);
    if (this.#heartbeats === HEARTBEATS_MAX || idleMs < pauseMs) return;
    if (this.#lag.report(nowMs).lagMs < this.#patienceMs) return;
    const wallMs = Date.now();
    try {
      this.#heartbeat(wallMs);
    } catch {
      // Locked or full: the next write says so to somebody who can act on it.
      return;
    }
    this.#heartbeats += 1;
    this.#note(wallMs, nowMs);
  }
}
