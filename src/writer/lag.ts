import type { Confirmation } from '../messages/confirmation.ts';
import type { LagReport } from '../messages/messages.ts';
import type { CommitMark, Confirmed } from '../messages/positions.ts';
import type { WalPosition } from '../sqlite/wal-index.ts';

interface Unconfirmed extends WalPosition {
  /** Counts what was committed here, heartbeats too. */
  readonly sequence: number;
  readonly mark: CommitMark;
  readonly monotonicMs: number;
}

type Place = Pick<Confirmation, 'salt' | 'offsetBytes' | 'generation'>;

/** Beyond this many, neighbours are merged: an outage of hours must not eat the writer's memory. */
const UNCONFIRMED_MAX = 4096;

/**
 * Knows for every commit of one database whether the replica holds it. A commit is unconfirmed (`committed`) →
 * confirmed (`confirmed`, when the replica has reached its end in the WAL). Replication is sequential, so commits are
 * confirmed in their order, also across a WAL that was begun anew.
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

  /** Takes note of a commit. @param monotonicMs on the clock that nobody can set */
  committed(position: WalPosition, mark: CommitMark, monotonicMs: number): void {
    const fromBytes = position.salt === this.#lastSalt ? this.#lastOffsetBytes : 0;
    this.#bytes += position.offsetBytes - fromBytes;
    this.#lastSalt = position.salt;
    this.#lastOffsetBytes = position.offsetBytes;
    this.#lastCommit = mark;
    // The clock of the commits was set back.
    if (this.#completeUntilMs !== undefined)
      this.#completeUntilMs = Math.min(this.#completeUntilMs, mark.atMs - 1);
    this.#sequence += 1;
    const { salt, offsetBytes } = position;
    this.#unconfirmed.push({ salt, offsetBytes, sequence: this.#sequence, mark, monotonicMs });
    if (this.#unconfirmed.length > UNCONFIRMED_MAX) this.#thin();
  }

  /**
   * Makes the first commit that was noted here stand for what an earlier process had committed and the replica lacked.
   * Nothing, once that is confirmed.
   *
   * @param sinceMs on the clock that nobody can set
   */
  behind(sinceMs: number, bytes: number): void {
    const [first] = this.#unconfirmed;
    if (first?.sequence !== 1) return;
    this.#unconfirmed[0] = { ...first, monotonicMs: Math.min(first.monotonicMs, sinceMs) };
    this.#bytes = Math.max(this.#bytes, bytes);
  }

  /**
   * Takes note of how far the replica is.
   * @returns whether this confirmed anything
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

  /** The number of the last commit that was noted here. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The replica holds every commit up to the one of this number. */
  get confirmedSequence(): number {
    return this.#confirmedSequence;
  }

  /** @param nowMs on the clock of the commits; nothing is committed meanwhile */
  report(monotonicMs: number, nowMs = Date.now()): LagReport {
    const oldest = this.#unconfirmed[0];
    // The next may be of this very millisecond.
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
