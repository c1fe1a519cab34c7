/** The result of a reload that succeeded; JSON. */
export interface ReloadOutcome {
  /** The releases before and after, for people: version and hash. */
  readonly from: string;
  readonly to: string;
  /** Names of the processes that were exchanged, started or ended, in order. */
  readonly replaced: readonly string[];
  /** What is still to be done, a sentence each. */
  readonly notes: readonly string[];
}
