import { statSync, truncateSync, utimesSync } from 'node:fs';
import type { Trouble, WalReport } from '../messages/messages.ts';
import type { Database } from '../sqlite/open.ts';
import type { WalIndex, WalState } from '../sqlite/wal-index.ts';
import { describeProcess, isLitestream, walLocks } from '../sqlite/wal-locks.ts';

const MB_BYTES = 1024 * 1024;
/** A reader or a write lock that lasts longer than this belongs to another program. */
const READER_MAX_MS = 30_000;
const LOCK_MAX_MS = 2000;
/** When a reader has blocked the WAL for this long, Litestream's checkpoints by time are postponed. */
const READER_BLOCKS_MS = 5000;
/** Setting the database file's time back by this much makes Litestream's checkpoint due at once. */
const OVERDUE_MS = 60 * 60_000;
/** A WAL normally restarts at about 20 MB. A burst of an application may take it further. */
const WAL_MAX_BYTES = 64 * MB_BYTES;
/** A restore opens all segments of one WAL at once. Litestream is set to begin another WAL before this number. */
const SEGMENTS_MAX = 200;
/** The WAL file is cut when it exceeds its content by more than this; the second applies when the disk is short. */
const SPARE_MAX_BYTES = 32 * MB_BYTES;
const SPARE_MAX_SHORT_BYTES = MB_BYTES;

/** A process that holds a read mark or the write lock. */
interface Holder {
  readonly key: string;
  readonly pid: number;
  readonly sinceMs: number;
}

/**
 * Watches how far the WAL of one database grows, and which process keeps it from restarting. SQLite never shrinks the
 * WAL file: after a long reader the file stays large, even when the WAL has restarted. `trim` cuts off the part beyond
 * the last commit.
 *
 * States, independent of each other: held or free (`look` finds a reader that is behind the last commit); locked or not
 * (`look` finds another process with the write lock); checkpoint postponed or not (`postpone`).
 */
export class WalWatch {
  readonly #db: Database;
  readonly #index: WalIndex;
  #readers: readonly Holder[] = [];
  #locker: Holder | undefined;
  #wal: WalState;
  #fileBytes = 0;
  #confirmedSalt = '';
  #segments = 0;
  #isPostponed = false;

  /** @param db the writer's connection */
  constructor(db: Database, index: WalIndex) {
    this.#db = db;
    this.#index = index;
    this.#wal = index.read();
  }

  /** Records that the replica has received another segment of the WAL with this salt. */
  confirmed(salt: string): void {
    this.#segments = salt === this.#confirmedSalt ? this.#segments + 1 : 1;
    this.#confirmedSalt = salt;
  }

  /** Reads the state of the WAL; to be called between commits. @param nowMs on the monotonic clock */
  look(nowMs: number): void {
    this.#wal = this.#index.read();
    this.#fileBytes = statSync(`${this.#db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const { readers, writerPid } = walLocks(this.#db.name);
    const { salt, frames, backfilledFrames, marks } = this.#wal;
    // A reader with mark 0 reads the database file alone, as it was when everything had been copied into it.
    const isBehind = (mark: number) => (mark === 0 ? backfilledFrames < frames : (marks[mark] ?? 0) < frames);
    this.#readers = readers
      .filter(({ mark, pid }) => isBehind(mark) && !isLitestream(pid))
      .map(({ mark, pid }) => {
        const key = `${pid} ${salt} ${mark} ${marks[mark]}`;
        const known = this.#readers.find((reader) => reader.key === key);
        return { key, pid, sinceMs: known?.sinceMs ?? nowMs };
      });
    const key = String(writerPid);
    if (writerPid === undefined || writerPid === process.pid) this.#locker = undefined;
    else if (this.#locker?.key !== key) this.#locker = { key, pid: writerPid, sinceMs: nowMs };
  }

  /**
   * Postpones Litestream's next checkpoint while a reader keeps it from copying anything. Each try adds a page to the
   * WAL. A try that copies nothing does not change the database file's time, by which Litestream decides, so it tries
   * again at every look: ten pages a second for as long as the reader stays. So here the file's time is set to now.
   *
   * When the reader has gone, a checkpoint is made due at once. When the disk is short and the WAL is large, that is
   * repeated until the WAL has restarted: a short read can prevent the restart, and the next checkpoint would come a
   * minute later.
   *
   *
   * @param isShort whether the disk has little room
   */
  postpone(nowMs: number, isShort: boolean): void {
    const isBlocked = this.report(nowMs).oldestReaderMs > READER_BLOCKS_MS;
    const isNeeded = isShort && this.#wal.offsetBytes > SPARE_MAX_SHORT_BYTES;
    if (!isBlocked && !this.#isPostponed && !isNeeded) return;
    this.#isPostponed = isBlocked;
    const time = new Date(isBlocked ? Date.now() : Date.now() - OVERDUE_MS);
    utimesSync(this.#db.name, time, time);
  }

  report(nowMs: number): WalReport {
    return {
      bytes: this.#fileBytes,
      oldestReaderMs: Math.max(0, ...this.#readers.map(({ sinceMs }) => nowMs - sinceMs)),
      segments: this.#segments,
    };
  }

  /** Describes the other process that has held the write lock for more than 2 s; undefined when there is none. */
  locker(nowMs: number): string | undefined {
    const holder = this.#locker;
    return holder && nowMs - holder.sinceMs > LOCK_MAX_MS ? describeProcess(holder.pid) : undefined;
  }

  /** The bounds that are exceeded, with the process that causes it. */
  problems(database: string, nowMs: number): Trouble[] {
    const { bytes, oldestReaderMs, segments } = this.report(nowMs);
    const over = [
      oldestReaderMs > READER_MAX_MS && `a reader stays for more than ${READER_MAX_MS / 1000} s`,
      bytes > WAL_MAX_BYTES && `it has more than ${WAL_MAX_BYTES / MB_BYTES} MB`,
      segments > SEGMENTS_MAX && `the replica has more than ${SEGMENTS_MAX} segments of it`,
    ].filter((text) => text !== false);
    if (over.length === 0) return [];
    const oldest = this.#readers.toSorted((one, other) => one.sinceMs - other.sinceMs)[0];
    const who = oldest
      ? ` ${describeProcess(oldest.pid)} reads an old state of it: end that process, or its transaction.`
      : '';
    return [
      { name: 'wal', reason: `The WAL of ${database} does not begin anew: ${over.join(', and ')}.${who}` },
    ];
  }

  /**
   * Cuts off the part of the WAL file beyond the last commit, to free disk space. This waits until the replica has a
   * segment of this WAL: before that, Litestream may still have to read the end of the previous WAL there.
   *
   * @param isShort whether the disk has little room
   */
  trim(isShort: boolean): void {
    const spareMaxBytes = isShort ? SPARE_MAX_SHORT_BYTES : SPARE_MAX_BYTES;
    const { salt, offsetBytes } = this.#wal;
    if (salt !== this.#confirmedSalt || this.#fileBytes - offsetBytes <= spareMaxBytes) return;
    try {
      this.#db.exec('BEGIN IMMEDIATE');
    } catch {
      // Another process is writing; the next look comes soon.
      return;
    }
    try {
      // With the write lock held, no process can restart the WAL or append to it.
      const now = this.#index.read();
      if (now.salt === salt) truncateSync(`${this.#db.name}-wal`, now.offsetBytes);
    } finally {
      this.#db.exec('ROLLBACK');
    }
  }
}
