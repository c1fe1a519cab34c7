/** The result of a standby's drill: a restore as in a takeover, and this code's migrations on that; JSON. */
export interface Rehearsal {
  /** Why this code's migrations cannot be applied; undefined when they were. */
  readonly refusal?: string | undefined;
  /** Why they could not be tried; undefined when they were. */
  readonly untried?: string | undefined;
  /** Size of the restored databases. */
  readonly restoredBytes: number;
}
