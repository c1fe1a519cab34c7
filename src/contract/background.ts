import type { Database } from 'better-sqlite3';
import type { Logger } from 'pino';
import type { Observe } from '../metrics/app-metrics.ts';
import type { Commands, OwnWrite } from './command.ts';
import type { AppConfig, AppSecrets } from './settings.ts';

/** The state of a background process. */
export interface BackgroundReport {
  /** Figures by name, shown to the operator. */
  readonly gauges: Readonly<Record<string, number>>;
  /** What is wrong, in words; shown in `degraded` of `/ready`. Undefined when nothing is. */
  readonly trouble?: string | undefined;
}

/** What a background process of a feature gets from the chassis. */
export interface BackgroundContext<Own extends Commands = Commands> {
  /** Read-only connection to the feature's database. */
  readonly db: Database;
  /** @returns a read-only connection to another database of the app, by its name */
  readonly openOther: (database: string) => Database;
  /** Sends one of the feature's commands to the writer. Works once the process is active, not in `prepare`. */
  readonly write: OwnWrite<Own>;
  readonly config: AppConfig;
  /** The app's secrets with this process in `takenBy`, and those of the chassis that `FeatureProcess.secrets` lists. */
  readonly secrets: AppSecrets;
  readonly observe: Observe;
  readonly log: Logger;
  /** Reports the state of this process. The last report counts. */
  readonly report: (report: BackgroundReport) => void;
  /**
   * @param listener called once when the process shall end, with the time that it has for that; called immediately when
   *   the process has been told so already
   */
  readonly onDrain: (listener: (timeoutMs: number) => void) => void;
}

/** What a background process gets to know when it becomes active. */
export interface Place {
  /** The URL at which the system listens. */
  readonly url: string;
}

/**
 * Prepares a background process and returns its work. Prepare statements here, and change nothing yet: the process that
 * this one replaces may still be at work, or this may be a trial on copies of the databases. The chassis calls the
 * returned function when the process becomes active.
 */
export type PrepareBackground<Own extends Commands = Commands> = (
  context: BackgroundContext<Own>,
) => BackgroundWork | Promise<BackgroundWork>;

/** Works until `onDrain` calls. If the promise resolves or rejects before that, the process counts as failed. */
export type BackgroundWork = (place: Place) => Promise<void>;
