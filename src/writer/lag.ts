import type { Confirmation } from '../messages/confirmation.ts';
import type { LagReport } from '../messages/messages.ts';
import type { CommitMark, Confirmed } from '../messages/positions.ts';
import type { WalPosition } from '../sqlite/wal-index.ts';

interface Unconfirmed extends WalPosition {
  /** Number of this commit in this process; heartbeats count too. */
  readonly sequence: number;
  readonly mark: CommitMark;
  readonly monotonicMs: number;
}

type Place = Pick<Confirmation, 'salt' | 'offsetBytes' | 'generation'>;

/** Beyond this number, neighbouring commits are merged: an outage of hours must not fill the writer's memory. */
const UNCONFIRMED_MAX = 4096;

/**
 * Knows for every commit of one database whether the replica holds it. Replication is sequential, so commits are
 * confirmed in their order, also when the WAL has restarted between them.
 *
 * States of a commit: unconfirmed (`committed`) → confirmed (`confirmed`, when the replica has reached its end in the
 * WAL).
 */
export class Lag {
  #unconfirmed: Unconfirmed[] = [];
  #bytes = 0;
  #lastOffsetBytes = 0;
  #lastSalt = '';
  #lastCommit: CommitMark = { session: undefined, ordinal: 0, atMs: 0 };
  #confirmed: Confirmed | undefined;
  #sequence = 0;
  #confirmedSequence = 0;
  /** As `LagReport.completeUntilMs`. */
  #completeUntilMs: number | undefined;

  /** Records a commit. @param monotonicMs its time on the monotonic clock */
  committed(position: WalPosition, mark: CommitMark, monotonicMs: number): void {
    const fromBytes = position.salt === this.#lastSalt ? this.#lastOffsetBytes : 0;
    this.#bytes += position.offsetBytes - fromBytes;
    this.#lastSalt = position.salt;
    this.#lastOffsetBytes = position.offsetBytes;
    this.#lastCommit = mark;
    // The wall clock was set back: the replica is complete only until before this commit.
    if (this.#completeUntilMs !== undefined)
      this.#completeUntilMs = Math.min(this.#completeUntilMs, mark.atMs - 1);
    this.#sequence += 1;
    const { salt, offsetBytes } = position;
    this.#unconfirmed.push({ salt, offsetBytes, sequence: this.#sequence, mark, monotonicMs });
    if (this.#unconfirmed.length > UNCONFIRMED_MAX) this.#thin();
  }

  /**
   * Takes over the lag of an earlier process: the first commit that was recorded here then stands for all commits that
   * the replica lacked. Does nothing once that first commit is confirmed.
   *
   * @param sinceMs when the lag began, on the monotonic clock
   */
  behind(sinceMs: number, bytes: number): void {
    const [first] = this.#unconfirmed;
    if (first?.sequence !== 1) return;
    this.#unconfirmed[0] = { ...first, monotonicMs: Math.min(first.monotonicMs, sinceMs) };
    this.#bytes = Math.max(this.#bytes, bytes);
  }

  /**
   * Records how far the replica is.
   * @returns whether this confirmed any commit
   */
  confirmed({ salt: walSalt, offsetBytes: endBytes, generation }: Place): boolean {
    let place = -1;
    this.#unconfirmed.forEach(({ salt, offsetBytes }, index) => {
      if (salt === walSalt && offsetBytes <= endBytes) place = index;
    });
    if (place === -1) return false;
    const done = this.#unconfirmed.splice(0, place + 1);
    const newest = done.at(-1) as Unconfirmed;
    const { salt, offsetBytes, mark } = newest;
    this.#confirmed = { ...mark, generation, salt, offsetBytes };
    this.#confirmedSequence = newest.sequence;
    this.#bytes = this.#remainingBytes(newest);
    return true;
  }

  /** The number of the last recorded commit. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The replica holds every commit up to the one of this number. */
  get confirmedSequence(): number {
    return this.#confirmedSequence;
  }

  /** @param nowMs the present time on the wall clock, which also dates the commits; nothing is committed meanwhile */
  report(monotonicMs: number, nowMs = Date.now()): LagReport {
    const oldest = this.#unconfirmed[0];
    // Minus 1: the next commit may fall into this same millisecond.
    if (!oldest && this.#confirmed) this.#completeUntilMs = nowMs - 1;
    return {
      lagMs: oldest ? monotonicMs - oldest.monotonicMs : 0,
      unconfirmedBytes: this.#bytes,
      unconfirmedCommits: this.#unconfirmed.length,
      lastCommit: this.#lastCommit,
      confirmed: this.#confirmed,
      completeUntilMs: this.#completeUntilMs,
    };
  }

  #remainingBytes(from: WalPosition): number {
    let { salt, offsetBytes } = from;
    let bytes = 0;
    for (const next of this.#unconfirmed) {
      bytes += next.offsetBytes - (next.salt === salt ? offsetBytes : 0);
      ({ salt, offsetBytes } = next);
    }
    return bytes;
  }

  /** Drops every second one but keeps the oldest and the newest: ages stay right, confirmations get coarser. */
  #thin(): void {
    const last = this.#unconfirmed.length - 1;
    this.#unconfirmed = this.#unconfirmed.filter((_, index) => index % 2 === 0 || index === last);
  }
}
