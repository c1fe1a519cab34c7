import type { APP_SECRETS } from '../config/secrets.ts';

/** The end of the name of a process that is only tried, on copies of the databases. */
export const TRIAL_SUFFIX = '-trial';

/**
 * A process that a feature brings, beside the workers. There is one of it, and two while a new one takes over from the
 * old one; what the process does must bear that.
 */
export interface Background {
  /** Its role. */
  readonly name: string;
  /** The chassis' module below the release's folder: it exports `run(runtime)`, and loads the feature's module. */
  readonly entry: string;
  /** The chassis' secrets that it gets; it gets no other one. */
  readonly secrets: readonly (typeof APP_SECRETS)[number][];
}

/** What the primary gives to such a process. */
export interface BackgroundInput {
  /** Where the system listens. */
  readonly url: string;
}
