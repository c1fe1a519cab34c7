import type { Database } from 'better-sqlite3';
import type { Context } from 'koa';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Policy } from '../limits/policy.ts';
import type { UnnamedProxy } from '../messages/messages.ts';
import type { Commit } from '../messages/positions.ts';
import type { Metrics } from '../metrics/app-metrics.ts';
import type { CodeMeaning } from '../platform/errors.ts';
import type { Background } from '../runtime/background.ts';
import type { PrepareBackground } from './background.ts';
import type { Commands, OwnWrite } from './command.ts';
import type { Found } from './finding.ts';
import type { Access, Route } from './route.ts';
import type { AppConfig, Settings } from './settings.ts';

/** The sender of a request. */
export interface Caller {
  /** The owner of the data that this caller may use; empty while there are no keys. */
  readonly owner: string;
  /** The id of the key that the request was sent with; undefined when no key was needed. */
  readonly keyId?: string;
  /** True when the caller was not identified, because the route is public. */
  readonly isAnonymous?: true;
}

/**
 * Decides whether a request may go on to its route, and records its caller (see `callerOf`). `access` is undefined when
 * no route takes the request: it will be refused, but it counts against the limits.
 * @throws Failure when the request may not go on
 */
export type Guard = (ctx: Context, access: Access | undefined) => void | Promise<void>;

/** What a guard gets from the chassis. */
export interface GuardContext {
  /** Read-only connection to the database of the guarding feature. */
  readonly db: Database;
  /** Sends one of that feature's commands, outside of any request. */
  readonly write: OwnWrite<Commands>;
  /**
   * Counts a request against a limit, over all workers. `id` is that of the key or the address. Returns undefined when
   * the request may go on at once; throws, or rejects with, Failure rate_limited when it may not.
   */
  readonly limit: (ctx: Context, policy: Policy, id: string) => void | Promise<void>;
  /** To be called for each newly seen proxy that no setting names, with the list of all such proxies. */
  readonly onUnnamedProxies: (all: readonly UnnamedProxy[]) => void;
  /** Whether a text that was sent as a key is a session of the operator's page, which may read operator routes. */
  readonly isOpsSession: (text: string) => boolean;
  readonly config: Config;
  readonly log: Logger;
}

/** @returns the caller of this request, as the guard has recorded it */
export function callerOf(ctx: Context): Caller {
  return ctx.state.caller as Caller;
}

/** What a feature learns when its database has gone back in time: by a restore to a time, or one that lost commits. */
export interface RewindContext {
  /** The last commit that is given up. When the replaced database cannot be read, there may have been later ones. */
  readonly from: Commit;
  /** The last commit that is kept. */
  readonly to: Commit;
  /**
   * The replaced database, read-only; undefined when it cannot be read. It may be of an older or newer release, or
   * damaged: after an error of SQLite everything that the handler did is undone, and it is called again without it.
   */
  readonly replaced: Database | undefined;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/**
 * Carries over the effects that have left the system and cannot be undone, such as a mail that was sent. It runs in the
 * writer, before anything else of the feature uses the database, and in the same transaction that records it as done.
 * So it takes effect exactly once for each time that the database goes back, whichever process is killed.
 *
 * @param db the feature's database, in a transaction
 * @returns what the handler did, for people, as the end of a sentence
 */
export type RewindHandler = (db: Database, context: RewindContext) => string;

/** What a check of `ninelives doctor` gets. It runs beside the system, or without one, and changes nothing. */
export interface CheckContext {
  /**
   * Read-only connection to the feature's database; undefined when there is none yet. Its tables may be those of an
   * older release. An error that a check throws is reported as a warning.
   */
  readonly db: Database | undefined;
  readonly config: AppConfig;
}

export type DoctorCheck = (context: CheckContext) => Found | Promise<Found>;

/**
 * A process that a feature has for itself, beside the workers. There is one such process; for a moment there are two,
 * when a new one takes over from the old one. Its work must be safe when that happens.
 */
export interface FeatureProcess {
  readonly name: string;
  /** Secrets of the chassis that the process gets, in addition to the feature's secrets with its name in `takenBy`. */
  readonly secrets?: Background['secrets'];
  readonly prepare: () => Promise<PrepareBackground<never>>;
}

/** One replaceable part of the monolith. Its modules load lazily, so that each process loads only what it runs. */
export interface Feature {
  readonly name: string;
  /** The database file (without `.db`) that holds its tables. */
  readonly database: string;
  /** Folder of numbered SQL files, `0001_name.sql`. */
  readonly migrations: URL;
  readonly commands: () => Promise<Commands>;
  /** The routes; `defineRoute` makes each of them. */
  readonly routes: () => Promise<readonly Route[]>;
  /** For the one feature that guards the routes of all features. If no feature has it, everybody may do everything. */
  readonly guard?: () => Promise<(context: GuardContext) => Guard>;
  /** Error codes of this feature, beside those of the chassis. Declare them in `AppCodes` too, to have types. */
  readonly codes?: Readonly<Record<string, CodeMeaning>>;
  /** Metrics, made by `defineMetrics`. Declare them in `AppMetrics` too, so that `observe` has types. */
  readonly metrics?: Metrics;
  /** Settings that people can change, made by `defineSettings`. */
  readonly settings?: () => Promise<Settings>;
  /** Processes of this feature, for work that no request asks for. */
  readonly background?: readonly FeatureProcess[];
  /**
   * Called in each new writer when the tables exist. It throws a Failure when the system must not start. The text that
   * it returns is shown to the person who starts the system.
   */
  readonly checkStart?: () => Promise<(db: Database, config: Config) => string | undefined>;
  /** Checks for `ninelives doctor`, by the names of their findings. */
  readonly doctor?: () => Promise<Readonly<Record<string, DoctorCheck>>>;
  /** For a feature whose effects leave the system. Without it, the feature goes on from the state of its database. */
  readonly onRewind?: {
    /** What the handler does, as the end of a sentence; shown before the database goes back. */
    readonly does: string;
    readonly load: () => Promise<RewindHandler>;
  };
}
