import type { DrillResult } from '../replication/drill/result.ts';

/** What the primary and its children say to each other over the fork's channel. */

/** How the whole system is, as far as the primary knows; workers answer `/ready` from it. */
export interface SystemStatus {
  readonly ready: boolean;
  /** What keeps it from being ready. */
  readonly notReady: readonly Trouble[];
  /** What does not work while the rest serves. */
  readonly degraded: readonly Trouble[];
}

export interface Trouble {
  readonly name: string;
  readonly reason: string;
}

/** What the replica has not confirmed, for one database. */
export interface LagReport {
  /** Age of the oldest commit that is not confirmed; 0 when all are. */
  readonly lagMs: number;
  readonly unconfirmedBytes: number;
  readonly unconfirmedCommits: number;
  /** Wall-clock time of the newest commit that is confirmed; undefined before the first. */
  readonly confirmedCommitAtMs: number | undefined;
  readonly generation: string | undefined;
}

export type ToChild =
  /** A connection; its handle comes beside the message. */
  | { readonly kind: 'connection'; readonly id: number }
  /** How far the replica holds a database's WAL; for the writer and a drill. */
  | {
      readonly kind: 'replicated';
      readonly database: string;
      readonly generation: string;
      readonly salt: string;
      readonly offsetBytes: number;
    }
  /** For one that stands by: take this place. A writer may now open the databases, since the old one is gone. */
  | { readonly kind: 'activate'; readonly name: string }
  | { readonly kind: 'status'; readonly status: SystemStatus }
  /** Finish what is under way, take nothing new, then say `drained` (writer) or exit (others). */
  | { readonly kind: 'drain'; readonly timeoutMs: number };

export type ToPrimary =
  | { readonly kind: 'ready' }
  /** Loaded, and waiting for `activate`. */
  | { readonly kind: 'standby' }
  /** Still starting, and not hung: the start deadline begins anew. */
  | { readonly kind: 'progress'; readonly detail: string }
  | {
      readonly kind: 'beat';
      readonly rssBytes: number;
      readonly heapUsedBytes: number;
      readonly served: number;
    }
  /** The connection is the child's now; nothing of it has been read yet. */
  | { readonly kind: 'accepted'; readonly id: number }
  /** The writer's knowledge of the replication, by database. */
  | {
      readonly kind: 'lag';
      readonly reports: Readonly<Record<string, LagReport>>;
      /** Why writes are refused; undefined when they are not. */
      readonly readOnlyBecause: string | undefined;
    }
  | { readonly kind: 'drained' }
  /** How the drill went that this process was made for. */
  | { readonly kind: 'drilled'; readonly result: DrillResult }
  /** SQLite found a database damaged. */
  | { readonly kind: 'damaged'; readonly reason: string }
  /** Why it is about to exit. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
