import type { Database } from 'better-sqlite3';
import type { Logger } from 'pino';
import type { Observe } from '../metrics/app-metrics.ts';
import type { Commands, OwnWrite } from './command.ts';
import type { AppConfig, AppSecrets } from './settings.ts';

/** How a background process is. */
export interface BackgroundReport {
  /** Figures by name, for whoever watches. */
  readonly gauges: Readonly<Record<string, number>>;
  /** What is wrong, in words; it stands in `degraded` of `/ready`. */
  readonly trouble?: string | undefined;
}

/** What a background process of a feature gets. */
export interface BackgroundContext<Own extends Commands = Commands> {
  /** Read-only connection to the feature's database. */
  readonly db: Database;
  /** @returns a read-only connection to another database of the app, by its name */
  readonly openOther: (database: string) => Database;
  /** Works from when the process has its place, not while it is prepared. */
  readonly write: OwnWrite<Own>;
  readonly config: AppConfig;
  /** Those that name this process among their takers, and those of the chassis that the feature lists for it. */
  readonly secrets: AppSecrets;
  readonly observe: Observe;
  readonly log: Logger;
  /** Tells how it is; what was told last counts. */
  readonly report: (report: BackgroundReport) => void;
  /** @param listener called once when the process is to end, with what it gets for that; at once where it is to end already */
  readonly onDrain: (listener: (timeoutMs: number) => void) => void;
}

/** What a background process gets to know with its place. */
export interface Place {
  /** Where the system listens. */
  readonly url: string;
}

/**
 * Makes what a background process does: prepare statements here, and change nothing yet, since another one may be at work, or
 * this is a trial on copies. What it returns is called when the process has its place, and works until it is drained.
 */
export type PrepareBackground<Own extends Commands = Commands> = (
  context: BackgroundContext<Own>,
) => BackgroundWork | Promise<BackgroundWork>;

/** Works until it is drained. */
export type BackgroundWork = (place: Place) => Promise<void>;
