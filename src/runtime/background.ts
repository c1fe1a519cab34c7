import type { APP_SECRETS } from '../config/secrets.ts';

/** What the name of a process ends with that is only tried, on copies of the databases. */
export const TRIAL_SUFFIX = '-trial';

/**
 * A process of a feature's own beside the workers. There is one of it; two for the moment in which a new one takes over
 * from the old one, and what it does must bear that.
 */
export interface Background {
  /** Its role. */
  readonly name: string;
  /** Its module below the release's folder, which exports `run(runtime)`: that of the chassis, which loads the feature's. */
  readonly entry: string;
  /** Those that it gets; no other process gets them. */
  readonly secrets: readonly (typeof APP_SECRETS)[number][];
}

/** What the primary gives such a process. */
export interface BackgroundInput {
  /** Where the system listens. */
  readonly url: string;
}
