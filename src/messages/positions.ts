/** A commit of a database, such as its last. */
export interface Commit {
  /** Counts the commits of writes and of migrations; a heartbeat has that of the write before it. 0: before the first. */
  readonly ordinal: number;
  /** Milliseconds since the epoch; 0 where none is known. */
  readonly atMs: number;
}

/** Names a commit of a database among all that it ever had. */
export interface CommitMark extends Commit {
  /** Of the activation of a writer that made it; undefined from a release that tells none, and before the first. */
  readonly session?: string | undefined;
}

/** The newest migration of each owner of tables, by database. */
export type Schema = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The last commit that the replica is known to hold, and where it ends there. */
export interface Confirmed extends CommitMark {
  /** The replica's own name for an unbroken history. */
  readonly generation: string;
  /** The WAL, by the salts of its header, and the end of the commit in it. */
  readonly salt: string;
  readonly offsetBytes: number;
}

/** What an owner tells of its databases, by their names. */
export interface LeasePositions {
  readonly schema: Schema;
  /** As `schema`, of those that older code cannot live with; undefined from a release that does not tell them apart. */
  readonly needs?: Schema | undefined;
  /** How far the replica is known to hold each. */
  readonly confirmed: Readonly<Record<string, Confirmed>>;
  /** Of each, on the clock of its commits: until then none was made beyond those. Undefined from an older release. */
  readonly completeUntilMs?: Readonly<Record<string, number>> | undefined;
  /** Once it is stopped: the very last commit of each, whether or not the replica was seen to hold it. */
  readonly last?: Readonly<Record<string, CommitMark>> | undefined;
}

/** What the record of a leader tells a standby. */
export interface HeldRecord extends LeasePositions {
  readonly epoch: number;
  /** The folder that counts, below the replica; empty: that itself. */
  readonly data: string;
}

/** What the record of the leader tells. */
export type Followed = Pick<HeldRecord, 'data' | 'confirmed'>;
