import type { APP_SECRETS } from '../secrets.ts';

/**
 * A process of a feature's own beside the workers. There is one of it; two for the moment in which a new one takes over
 * from the old one, and what it does must bear that.
 */
export interface Background {
  /** Its role, such as mailer. */
  readonly name: string;
  /** Its module below the release's folder, such as `src/app/mailer/main.ts`; exports `run(runtime)`. */
  readonly entry: string;
  /** Those that it gets; no other process gets them. */
  readonly secrets: readonly (typeof APP_SECRETS)[number][];
}

/** What the primary gives such a process. */
export interface BackgroundInput {
  /** Where the system listens. */
  readonly url: string;
}
