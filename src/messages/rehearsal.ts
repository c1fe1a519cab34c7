/** What a restore of what the standby has, and this code's migrations on that, have come to; JSON. */
export interface Rehearsal {
  /** Why this code's migrations cannot be applied; undefined when they were. */
  readonly refusal?: string | undefined;
  /** Why they could not be tried; undefined when they were. */
  readonly untried?: string | undefined;
  /** What the databases take. */
  readonly restoredBytes: number;
}
