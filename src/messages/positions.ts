/** A commit of a database, such as its last. */
export interface Commit {
  /** Counts writes and migrations; a heartbeat has the number of the write before it. 0: before the first. */
  readonly ordinal: number;
  /** Milliseconds since the epoch; 0 where none is known. */
  readonly atMs: number;
}

/** Names a commit of a database among all that it ever had. */
export interface CommitMark extends Commit {
  /** The activation of the writer that made it; undefined from an older release, and before the first commit. */
  readonly session?: string | undefined;
}

/** The newest migration of each owner of tables, by database. */
export type Schema = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The last commit that the replica is known to hold, and where it ends there. */
export interface Confirmed extends CommitMark {
  /** Litestream's name for an unbroken history. */
  readonly generation: string;
  /** The WAL, by the salts of its header, and the end of the commit in it. */
  readonly salt: string;
  readonly offsetBytes: number;
}

/** What the owner of a replica tells about its databases, by their names. */
export interface LeasePositions {
  readonly schema: Schema;
  /** The part of `schema` that older code cannot live with; undefined from a release that does not tell them apart. */
  readonly needs?: Schema | undefined;
  /** Up to where the replica is known to hold each. */
  readonly confirmed: Readonly<Record<string, Confirmed>>;
  /** Of each: until then, by its commits' clock, none was made beyond `confirmed`. Undefined from an older release. */
  readonly completeUntilMs?: Readonly<Record<string, number>> | undefined;
  /** Once the system is stopped: the very last commit of each, whether or not the replica was seen to hold it. */
  readonly last?: Readonly<Record<string, CommitMark>> | undefined;
}

/** What the record of a leader tells a standby. */
export interface HeldRecord extends LeasePositions {
  readonly epoch: number;
  /** The folder that counts, below the replica; empty: the replica itself. */
  readonly data: string;
}

/** What the mirror follows of the leader's record. */
export type Followed = Pick<HeldRecord, 'data' | 'confirmed'>;
