import type { Confirmation } from './confirmation.ts';
import type { ContenderState } from './contender-state.ts';
import type { DrillResult } from './drill-result.ts';
import type { DryRunResult } from './dry-run-result.ts';
import type { CommitMark, Confirmed, Followed, HeldRecord, LeasePositions, Schema } from './positions.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { SeriesDelta } from './series.ts';

/**
 * What the primary and its children say to each other over the fork's channel. The number rises with each change that
 * the other side of before could not understand: a primary brings no release into service that has another one.
 */
export const CHILD_PROTOCOL = 1;

/** How the whole system is, as far as the primary knows; workers answer `/ready` from it. */
export interface SystemStatus {
  readonly ready: boolean;
  /** The other system leads, and nothing is served here any more. */
  readonly isHandedOver?: boolean;
  /** What keeps it from being ready. */
  readonly notReady: readonly Trouble[];
  /** What does not work while the rest serves. */
  readonly degraded: readonly Trouble[];
  /** Undefined before the first look at it. */
  readonly replication?: ReplicationStatus | undefined;
  readonly drill?: DrillStatus | undefined;
  /** The hash of the release of each process, by its name. */
  readonly releases?: Readonly<Record<string, string>> | undefined;
}

/**
 * - streaming: every commit is in the replica, or young enough to be on its way
 * - catching-up: older commits wait, and the replica advances
 * - unreachable: the store does not answer, or older commits wait, and Litestream says why it cannot upload them
 * - stalled: older commits wait, and nothing happens
 */
export type ReplicationState = 'streaming' | 'catching-up' | 'unreachable' | 'stalled';

/** How far the replica is behind the databases. */
export interface ReplicationStatus {
  readonly state: ReplicationState;
  /** What is wrong, in words; undefined while streaming. */
  readonly reason: string | undefined;
  /** Age of the oldest commit of any database that is not confirmed; 0 when all are. */
  readonly lagMs: number;
  readonly unconfirmedBytes: number;
  /** By name. */
  readonly databases: Readonly<Record<string, LagReport>>;
}

/** What is known of the drills. */
export interface DrillStatus {
  readonly isRunning: boolean;
  /** From the end of one to the next; 0 when none takes place by itself. */
  readonly intervalMs: number;
  /** What is wrong, in words; undefined when the replica is proven. */
  readonly reason: string | undefined;
  /** How the last one went; its `at` tells its age. */
  readonly last: DrillResult | undefined;
  /** When the last one that found nothing wrong ended; milliseconds since the epoch. */
  readonly lastOkAtMs: number | undefined;
}

/** The operator's socket, OPS_LISTEN: of Unix, where its mode is the guard, or of TCP. */
export type OpsDoor = 'ops-unix' | 'ops-tcp';

/** A peer that passes requests on, and that TRUSTED_PROXIES does not name. */
export interface UnnamedProxy {
  /** Or `unix`. */
  readonly address: string;
  /** Nobody outside of this network can be it. */
  readonly isNear: boolean;
}

export interface Trouble {
  readonly name: string;
  readonly reason: string;
}

/** How a WAL does that should begin anew now and then. */
export interface WalReport {
  /** Of its file. */
  readonly bytes: number;
  /** How long the oldest reader has kept it from beginning anew; 0 when none does. */
  readonly oldestReaderMs: number;
  /** How many segments of it the replica is known to have. */
  readonly segments: number;
}

/** What the replica has not confirmed, for one database. */
export interface LagReport {
  /** Age of the oldest commit that is not confirmed; 0 when all are. */
  readonly lagMs: number;
  readonly unconfirmedBytes: number;
  readonly unconfirmedCommits: number;
  readonly lastCommit: CommitMark;
  /** The newest commit that is confirmed, and where it ends; undefined before the first of this writer. */
  readonly confirmed: Confirmed | undefined;
  /**
   * On the clock of the commits: all that were made until then are confirmed. Undefined before this writer knew, and from a
   * release that tells none.
   */
  readonly completeUntilMs?: number | undefined;
  /** Undefined from a release that tells none. */
  readonly wal?: WalReport | undefined;
}

/** The last commit that a writer has told of. */
export interface ToldCommit extends CommitMark {
  /** It commits nothing more, so this is its very last. */
  readonly isFinal: boolean;
}

/** What whoever starts or runs a system has to know of its replica. `lost`: it is another's. */
export interface Ownership {
  readonly state: 'waiting' | 'held' | 'lost';
  /** What is waited for; how it was taken, where that is not plain; whose it is. */
  readonly reason?: string | undefined;
  /** When it is lost: what to do, where that is not to stop the other one. */
  readonly advice?: string | undefined;
  /** While it waits: the system may serve meanwhile, and add nothing to the replica. */
  readonly isToServe?: boolean | undefined;
  /** When it is lost: nobody's record is there, and these folders, of which only a record tells which counts. */
  readonly epochs?: readonly string[] | undefined;
  /** While it is held: why the record cannot be renewed. */
  readonly trouble?: string | undefined;
}

/** What one of two systems says of itself to the other one; JSON. */
export interface PeerState {
  readonly name: string;
  readonly state: ContenderState;
  /** It answers requests; undefined from a release that does not say it. */
  readonly isServing?: boolean | undefined;
  /** The hash of its release. */
  readonly release: string;
  /** Its REPLICA_URL; undefined from a release that does not say it. */
  readonly replica?: string | undefined;
  /** Why it would not take over now; undefined when it would. */
  readonly heldBackBecause?: string | undefined;
  /** Of its own clock, in milliseconds since the epoch: told to people, and never used. */
  readonly clockAtMs: number;
}

/** What is known of the other system. */
export interface Peer {
  /** What it has said last; undefined while it cannot be asked. */
  readonly said?: PeerState | undefined;
  /** Why it cannot be asked. */
  readonly problem?: string | undefined;
  /** How far its clock was ahead of this one's, in milliseconds. */
  readonly clockAheadMs?: number | undefined;
}

/** What one of two systems that stand by for each other may do, as its own process has found. */
export interface Leadership {
  readonly state: ContenderState;
  /** While it holds the record, and what it found there as the place of the data. */
  readonly epoch?: number | undefined;
  readonly data?: string | undefined;
  /** What its record tells of the databases. */
  readonly told?: Pick<LeasePositions, 'schema' | 'needs'> | undefined;
  /** Until when its writer may commit; undefined while it may not. */
  readonly commitUntilMonotonicMs?: number | undefined;
  /** Who has the record, where that is another. */
  readonly holder?: string | undefined;
  /** What that one tells in it. */
  readonly held?: HeldRecord | undefined;
  /** When it was renewed last, as far as seen here; milliseconds since the epoch, for people. */
  readonly renewedAtMs?: number | undefined;
  /** Why this system would not take over now; undefined when it would. */
  readonly heldBackBecause?: string | undefined;
  /** This code has migrations that the databases lack, and that are to be tried before it takes over. */
  readonly isToTry?: boolean | undefined;
  /** The other system, where the settings name it. */
  readonly peer?: Peer | undefined;
  /** Why a person has to decide, or why the store does not answer. */
  readonly reason?: string | undefined;
}

/**
 * What a child can ask the primary; answers.ts tells what it then gets.
 * `redeem`: whether a link to the operator's page, named by its id, is still to be exchanged; it is not then.
 */
export type Question = 'system' | 'metrics' | 'history' | 'redeem';

export type ToChild =
  /** A connection; its handle comes beside the message. `door`: by which of the operator's it came; everybody's has none. */
  | { readonly kind: 'connection'; readonly id: number; readonly door?: OpsDoor }
  /** How far the replica holds a database's WAL; for the writer. */
  | {
      readonly kind: 'replicated';
      readonly database: string;
      readonly generation: string;
      readonly salt: string;
      readonly offsetBytes: number;
    }
  /** How far the replica was behind when the writer before told it last; for the next one, after what is confirmed. */
  | {
      readonly kind: 'behind';
      readonly database: string;
      readonly lagMs: number;
      readonly unconfirmedBytes: number;
    }
  /**
   * For one that stands by: take this place, and this is what its role needs. A writer may now open the databases, since
   * the old one is gone.
   */
  | { readonly kind: 'activate'; readonly name: string; readonly input?: unknown }
  /** What the owner's record tells of the databases. */
  | ({ readonly kind: 'positions' } & LeasePositions)
  /** The same, and the record is to say it at once: the databases are about to have it. */
  | ({ readonly kind: 'announced' } & LeasePositions)
  /** Litestream has uploaded this: whether it counts the record decides. */
  | ({ readonly kind: 'uploaded' } & Confirmation)
  /** The databases are whole, as the epoch had them that was to be restored. */
  | { readonly kind: 'databases-restored' }
  /** What the record of the leader tells: this is to be mirrored. */
  | { readonly kind: 'mirror'; readonly followed: Followed }
  /** What a restore of what the standby has, and this code's migrations on that, have come to. */
  | { readonly kind: 'rehearsed'; readonly rehearsal: Rehearsal }
  /** The own epoch has a snapshot of each database, and all behind it. */
  | { readonly kind: 'epoch-covered' }
  /** The primary has heard what the process that contends is. */
  | { readonly kind: 'heard' }
  /** Renew the record now, and say whose the replica is. */
  | { readonly kind: 'renew' }
  /** The replica is nobody's from now on; then exit. `isOffered`: unless nobody takes it, which `reclaim` says. */
  | { readonly kind: 'release'; readonly isOffered?: boolean }
  | { readonly kind: 'reclaim' }
  /** This system answers requests from now on. */
  | { readonly kind: 'serving' }
  /** Ask the other system now how it is. */
  | { readonly kind: 'ask-peer' }
  /** For a worker: requests wait from now on, and it says `requests-held` when those before that may write are answered. */
  | { readonly kind: 'hold-requests' }
  /** They are answered after all, or closed unanswered. */
  | { readonly kind: 'let-requests'; readonly be: 'answered' | 'closed' }
  /** For the writer: commit nothing before the next `commit-until`, keep what comes, and say `commits-held`. */
  | { readonly kind: 'hold-commits' }
  /** For the writer: no write is accepted any more, and why. */
  | { readonly kind: 'refuse-writes'; readonly because: string }
  /** For the writer of a system with a standby: until when it may commit, on the monotonic clock of this machine. */
  | { readonly kind: 'commit-until'; readonly monotonicMs: number }
  | { readonly kind: 'status'; readonly status: SystemStatus }
  /** By which a worker knows passes to the operator's page, in base64. Without it, it asks for no link. */
  | { readonly kind: 'ops-secret'; readonly secret: string }
  /** The answer to a question of this child. */
  | { readonly kind: 'told'; readonly id: number; readonly answer: unknown }
  /** Finish what is under way, take nothing new, then say `drained` (writer) or exit (others). */
  | { readonly kind: 'drain'; readonly timeoutMs: number };

export type ToPrimary =
  /** `notice`: what whoever starts the system should know. `schema`: of the writer, what the databases have. */
  | { readonly kind: 'ready'; readonly notice?: string; readonly schema?: Schema; readonly needs?: Schema }
  /** It was told to wait: it has loaded, and waits for `activate`. */
  | { readonly kind: 'standby' }
  /** Still starting, and not hung: the start deadline begins anew. */
  | { readonly kind: 'progress'; readonly detail: string }
  | {
      readonly kind: 'beat';
      readonly rssBytes: number;
      readonly heapUsedBytes: number;
      readonly served: number;
      /** What it has counted since its last beat. */
      readonly deltas: readonly SeriesDelta[];
    }
  /** A question, which `told` answers under the same number. */
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question; readonly about?: string }
  /** The connection is the child's now; nothing of it has been read yet. */
  | { readonly kind: 'accepted'; readonly id: number }
  /** The writer's knowledge of the replication, by database. */
  | {
      readonly kind: 'lag';
      readonly reports: Readonly<Record<string, LagReport>>;
      /** Why writes are refused; undefined when they are not. */
      readonly readOnlyBecause: string | undefined;
      /** What is out of order with the databases while they serve. */
      readonly problems?: readonly Trouble[];
    }
  /**
   * How a process is that says so itself: figures by name, for whoever watches, what is wrong, if anything is, and, of a
   * worker, the proxies that it has met.
   */
  | {
      readonly kind: 'report';
      readonly gauges: Readonly<Record<string, number>>;
      readonly trouble: string | undefined;
      readonly proxies?: readonly UnnamedProxy[];
    }
  | { readonly kind: 'drained' }
  /** Every request that came before `hold-requests` and may write is answered. */
  | { readonly kind: 'requests-held' }
  /** It commits nothing, and what it has told of its last commit is final until it may again. */
  | { readonly kind: 'commits-held' }
  /** Whose the replica is. */
  | ({ readonly kind: 'ownership' } & Ownership)
  /** What this system may do beside another that stands by, and until when. */
  | ({ readonly kind: 'leadership' } & Leadership)
  /** What `ask-peer` has brought was said before. */
  | { readonly kind: 'peer-asked' }
  /** It is replicated from now on: whoever takes over has it. */
  | ({ readonly kind: 'counted' } & Pick<Confirmation, 'database' | 'generation' | 'salt' | 'offsetBytes'>)
  /** How the drill went that this process was made for. */
  | { readonly kind: 'drilled'; readonly result: DrillResult }
  /** What the dry run has found that this process was made for; the databases are in the folder that it was given. */
  | { readonly kind: 'dry-run'; readonly result: DryRunResult }
  /** A database was replaced by its replica: up to which commit, and which newer ones are lost, in words. */
  | { readonly kind: 'restored'; readonly database: string; readonly loss: string }
  /** The features have heard that a database has gone back, and what they did, in words. */
  | { readonly kind: 'rewound'; readonly id: string; readonly told: string }
  /** SQLite found a database damaged. */
  | { readonly kind: 'damaged'; readonly reason: string }
  /** Why it is about to exit. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
