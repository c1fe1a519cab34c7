import { statSync, truncateSync, utimesSync } from 'node:fs';
import type { Trouble, WalReport } from '../messages/messages.ts';
import type { Database } from '../sqlite/open.ts';
import type { WalIndex, WalState } from '../sqlite/wal-index.ts';
import { describeProcess, isLitestream, walLocks } from '../sqlite/wal-locks.ts';

const MB_BYTES = 1024 * 1024;
/** A reader or a lock that has stayed for so long is none of ours. */
const READER_MAX_MS = 30_000;
const LOCK_MAX_MS = 2000;
/** From then on a checkpoint that is not due for its size is put off. */
const READER_BLOCKS_MS = 5000;
/** A database that nothing was copied into for so long is due for a checkpoint. */
const OVERDUE_MS = 60 * 60_000;
/** A WAL begins anew at about 20 MB, and an application's burst may take it further. */
const WAL_MAX_BYTES = 64 * MB_BYTES;
/** Litestream is told to begin another WAL before this: a restore opens all segments of one at once. */
const SEGMENTS_MAX = 200;
/** A file that is this much larger than what it holds is cut; where the disk is short, any that is. */
const SPARE_MAX_BYTES = 32 * MB_BYTES;
const SPARE_MAX_SHORT_BYTES = MB_BYTES;

/** Somebody who stays. */
interface Holder {
  readonly key: string;
  readonly pid: number;
  readonly sinceMs: number;
}

/**
 * Watches how far one database's WAL grows, and who keeps it from beginning anew. SQLite never makes the file smaller: a
 * WAL that a long reader has let grow stays as large on disk when it has begun anew, so what is beyond its last commit is
 * cut off here. States: held or free (`look` finds a reader that is behind the last commit), locked or not (`look` finds
 * the write lock with another process), and with its checkpoint postponed or not (`postpone`).
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

  /** The replica has another segment of a WAL. */
  confirmed(salt: string): void {
    this.#segments = salt === this.#confirmedSalt ? this.#segments + 1 : 1;
    this.#confirmedSalt = salt;
  }

  /** Looks at it; between commits. @param nowMs on a clock that nobody can set */
  look(nowMs: number): void {
    this.#wal = this.#index.read();
    this.#fileBytes = statSync(`${this.#db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const { readers, writerPid } = walLocks(this.#db.name);
    const { salt, frames, backfilledFrames, marks } = this.#wal;
    // By the mark 0 one reads the database alone, from when that had everything.
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
   * Puts off Litestream's next checkpoint while a reader keeps it from copying anything. Each one adds a page to the WAL,
   * and one that copies nothing leaves the time of the database's file as it is, by which Litestream then tries again at
   * every look: ten pages a second, for as long as the reader stays. When it has gone, one is due at once; and where the
   * disk needs what the WAL holds, again until that has begun anew: a read that is under way can keep it from that, and
   * the next checkpoint would come a minute later.
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

  /** Who has held the write lock for longer than any of ours does, for people; undefined when nobody has. */
  locker(nowMs: number): string | undefined {
    const holder = this.#locker;
    return holder && nowMs - holder.sinceMs > LOCK_MAX_MS ? describeProcess(holder.pid) : undefined;
  }

  /** What is beyond its bound. */
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
   * Gives the disk back what the file has beyond the last commit. Only once the replica has a part of this WAL: before
   * that, Litestream may still read the end of the one before there.
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
      // Somebody writes; the next look comes soon.
      return;
    }
    try {
      // With the lock nobody begins another WAL, and nobody appends.
      const now = this.#index.read();
      if (now.salt === salt) truncateSync(`${this.#db.name}-wal`, now.offsetBytes);
    } finally {
      this.#db.exec('ROLLBACK');
    }
  }
}
