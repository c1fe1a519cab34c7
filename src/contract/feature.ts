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

/** Who sends a request. */
export interface Caller {
  /** Names whose data it is; empty while there are no keys. */
  readonly owner: string;
  /** Undefined where none was needed. */
  readonly keyId?: string;
  /** Nobody asked who it is, since what it asks for is public. */
  readonly isAnonymous?: true;
}

/**
 * Decides whether a request may go on to its route, and notes its caller. The access is undefined where no route takes the
 * request: it is about to be refused, and counts all the same.
 * @throws Failure why it may not
 */
export type Guard = (ctx: Context, access: Access | undefined) => void | Promise<void>;

/** What a guard is made from. */
export interface GuardContext {
  /** Read-only connection to the database of the feature that guards. */
  readonly db: Database;
  /** Sends one of that feature's commands, on no request's behalf. */
  readonly write: OwnWrite<Commands>;
  /**
   * Counts a request, of the key or the address with this id, over all workers. Returns undefined when it may go on at
   * once; throws, or rejects with, Failure rate_limited.
   */
  readonly limit: (ctx: Context, policy: Policy, id: string) => void | Promise<void>;
  /** Told of all proxies that were met and that no setting names, with each new one. */
  readonly onUnnamedProxies: (all: readonly UnnamedProxy[]) => void;
  /** Whether this, sent as a key, is a session of the operator's page: it reads what is for the operator. */
  readonly isOpsSession: (text: string) => boolean;
  readonly config: Config;
  readonly log: Logger;
}

/** @returns who sends this request, as the guard has noted it */
export function callerOf(ctx: Context): Caller {
  return ctx.state.caller as Caller;
}

/** What a feature gets to know when its database has gone back in time: a restore to a time, or one that lost commits. */
export interface RewindContext {
  /** The last commit that is given up; it may have been later, where what was replaced cannot be read. */
  readonly from: Commit;
  /** The last commit that is kept. */
  readonly to: Commit;
  /**
   * Read-only, what was replaced; it may be of an older or newer release, and damaged. An error of SQLite undoes what was
   * done, and the feature is called again without it. Undefined where it cannot be read.
   */
  readonly replaced: Database | undefined;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/**
 * Brings over what has left the system and cannot be taken back, such as a mail that was sent. It runs in the writer, in the
 * transaction that notes it as done, before anything else of the feature uses the database: once each time that the
 * database goes back, whatever is killed.
 *
 * @param db the feature's database, in a transaction
 * @returns what it did, for people, as the end of a sentence
 */
export type RewindHandler = (db: Database, context: RewindContext) => string;

/** What a check of `ninelives doctor` gets. It runs beside the system, or without one, and changes nothing. */
export interface CheckContext {
  /**
   * Read-only connection to the feature's database; undefined where there is none yet. Its tables may be those of an older
   * release: what a check throws is told as a warning.
   */
  readonly db: Database | undefined;
  readonly config: AppConfig;
}

export type DoctorCheck = (context: CheckContext) => Found | Promise<Found>;

/**
 * A process of a feature's own beside the workers. There is one of it; two for the moment in which a new one takes over from
 * the old one, and what it does must bear that.
 */
export interface FeatureProcess {
  readonly name: string;
  /** Secrets of the chassis that it gets, beside those of the feature that name it among their takers. */
  readonly secrets?: Background['secrets'];
  readonly prepare: () => Promise<PrepareBackground<never>>;
}

/** One replaceable part of the monolith. Its modules load lazily: each process takes what it runs. */
export interface Feature {
  readonly name: string;
  /** The database file (without `.db`) that holds its tables. */
  readonly database: string;
  /** Folder of numbered SQL files, `0001_name.sql`. */
  readonly migrations: URL;
  readonly commands: () => Promise<Commands>;
  /** `defineRoute` makes each. */
  readonly routes: () => Promise<readonly Route[]>;
  /** Of the one feature that guards the routes of all. Without one, everybody may do everything. */
  readonly guard?: () => Promise<(context: GuardContext) => Guard>;
  /** The codes of its errors, beside those of the chassis. Declare them in `AppCodes`, too, and they are typed. */
  readonly codes?: Readonly<Record<string, CodeMeaning>>;
  /** What it counts. `defineMetrics` makes them; declare them in `AppMetrics`, too, and `observe` is typed. */
  readonly metrics?: Metrics;
  /** What people can set of it. `defineSettings` makes them. */
  readonly settings?: () => Promise<Settings>;
  /** Processes of its own, which do what no request asks for. */
  readonly background?: readonly FeatureProcess[];
  /**
   * Asked by each new writer when the tables are there; throws the Failure because of which nothing may start. What it
   * returns is shown to whoever starts the system.
   */
  readonly checkStart?: () => Promise<(db: Database, config: Config) => string | undefined>;
  /** What `ninelives doctor` looks at, by the names of its findings. */
  readonly doctor?: () => Promise<Readonly<Record<string, DoctorCheck>>>;
  /** For one whose work leaves the system. Without it, it goes on with what its database says. */
  readonly onRewind?: {
    /** What it does, for whoever is about to go back, as the end of a sentence. */
    readonly does: string;
    readonly load: () => Promise<RewindHandler>;
  };
}
