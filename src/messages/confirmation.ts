/** Names a WAL segment in a replica by its begin. */
export interface SegmentRef {
  readonly generation: string;
  /** Number of the WAL in its generation. */
  readonly index: number;
  readonly offsetBytes: number;
}

/** How far the replica holds a database's WAL. */
export interface Confirmation {
  /** Name without `.db`. */
  readonly database: string;
  readonly generation: string;
  /** The salts of the WAL's header, in hex: they identify this WAL among all that the database ever had. */
  readonly salt: string;
  /** The replica holds every byte of that WAL before this one, and all WALs before it. */
  readonly offsetBytes: number;
  /** What was uploaded; undefined for a replica without segments. */
  readonly segment?: SegmentRef;
}
