import type { Confirmation } from './confirmation.ts';
import type { ContenderState } from './contender-state.ts';
import type { DrillResult } from './drill-result.ts';
import type { DryRunResult } from './dry-run-result.ts';
import type { CommitMark, Confirmed, Followed, HeldRecord, LeasePositions, Schema } from './positions.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { SeriesDelta } from './series.ts';

/**
 * The messages between the primary and its children, over the fork's channel. The number rises with each change that
 * the other side's previous version could not understand: a primary does not bring in a release with another number.
 */
export const CHILD_PROTOCOL = 1;

/** How the whole system is, as far as the primary knows; workers answer `/ready` from it. */
export interface SystemStatus {
  readonly ready: boolean;
  /** The other system leads, and this one serves no requests any more. */
  readonly isHandedOver?: boolean;
  /** The problems that keep it from being ready. */
  readonly notReady: readonly Trouble[];
  /** The problems of parts that do not work while the rest serves. */
  readonly degraded: readonly Trouble[];
  /** Undefined before the first measurement. */
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

/** The state of the drills. */
export interface DrillStatus {
  readonly isRunning: boolean;
  /** Time from one drill to the next; 0 when none takes place by itself. */
  readonly intervalMs: number;
  /** What is wrong, in words; undefined when the replica is proven. */
  readonly reason: string | undefined;
  /** The last result; its `at` tells its age. */
  readonly last: DrillResult | undefined;
  /** When the last drill without a finding ended; milliseconds since the epoch. */
  readonly lastOkAtMs: number | undefined;
}

/** The kind of the operator's socket, OPS_LISTEN: a Unix socket, guarded by its file mode, or TCP. */
export type OpsDoor = 'ops-unix' | 'ops-tcp';

/** A peer that passes requests on, and that TRUSTED_PROXIES does not name. */
export interface UnnamedProxy {
  /** Its IP address, or `unix`. */
  readonly address: string;
  /** It is in this network: no outsider can have its address. */
  readonly isNear: boolean;
}

export interface Trouble {
  readonly name: string;
  readonly reason: string;
}

/** The state of a WAL, which should be restarted now and then. */
export interface WalReport {
  /** Size of its file. */
  readonly bytes: number;
  /** How long the oldest reader has kept it from being restarted; 0 when none does. */
  readonly oldestReaderMs: number;
  /** How many of its segments the replica is known to have. */
  readonly segments: number;
}

/** What the replica has not confirmed, for one database. */
export interface LagReport {
  /** Age of the oldest commit that is not confirmed; 0 when all are. */
  readonly lagMs: number;
  readonly unconfirmedBytes: number;
  readonly unconfirmedCommits: number;
  readonly lastCommit: CommitMark;
  /** The newest commit that is confirmed, and where it ends; undefined before the first one of this writer. */
  readonly confirmed: Confirmed | undefined;
  /**
   * All commits until then, by the clock of the commits, are confirmed. Undefined before this writer knew it, and from
   * a release that does not tell it.
   */
  readonly completeUntilMs?: number | undefined;
  /** Undefined from a release that does not tell it. */
  readonly wal?: WalReport | undefined;
}

/** The last commit that a writer has reported. */
export interface ToldCommit extends CommitMark {
  /** The writer commits nothing more, so this is its very last commit. */
  readonly isFinal: boolean;
}

/** Whether this system owns its replica. `lost`: the replica is another system's. */
export interface Ownership {
  readonly state: 'waiting' | 'held' | 'lost';
  /** What is waited for; how the replica was taken, where that is worth telling; or which system owns it. */
  readonly reason?: string | undefined;
  /** When it is lost: what to do, unless that is to stop the other system. */
  readonly advice?: string | undefined;
  /** While it waits: the system may serve, and must not write to the replica. */
  readonly isToServe?: boolean | undefined;
  /** When it is lost because the record is gone: the epoch folders there. Only a record tells which of them counts. */
  readonly epochs?: readonly string[] | undefined;
  /** While it is held: why the record cannot be renewed. */
  readonly trouble?: string | undefined;
}

/** What one of two systems tells the other about itself; JSON. */
export interface PeerState {
  readonly name: string;
  readonly state: ContenderState;
  /** It answers requests; undefined from a release that does not tell it. */
  readonly isServing?: boolean | undefined;
  /** The hash of its release. */
  readonly release: string;
  /** Its REPLICA_URL; undefined from a release that does not tell it. */
  readonly replica?: string | undefined;
  /** Why it would not take over now; undefined when it would. */
  readonly heldBackBecause?: string | undefined;
  /** Its own clock, in milliseconds since the epoch: shown to people, and never used. */
  readonly clockAtMs: number;
}

/** What is known about the other system. */
export interface Peer {
  /** Its last answer; undefined while it cannot be asked. */
  readonly said?: PeerState | undefined;
  /** Why it cannot be asked. */
  readonly problem?: string | undefined;
  /** How far its clock is ahead of this one's, in milliseconds. */
  readonly clockAheadMs?: number | undefined;
}

/** What one of two systems (FAILOVER=lease) may do, as its contender has found. */
export interface Leadership {
  readonly state: ContenderState;
  /** While it holds the record: its epoch, and the folder of the data that it found in the record. */
  readonly epoch?: number | undefined;
  readonly data?: string | undefined;
  /** What its record tells about the databases. */
  readonly told?: Pick<LeasePositions, 'schema' | 'needs'> | undefined;
  /** Until when its writer may commit; undefined while it may not. */
  readonly commitUntilMonotonicMs?: number | undefined;
  /** The system that has the record, where that is another one. */
  readonly holder?: string | undefined;
  /** What that system's record tells. */
  readonly held?: HeldRecord | undefined;
  /** When that record was last renewed, as far as seen here; milliseconds since the epoch, for people. */
  readonly renewedAtMs?: number | undefined;
  /** Why this system would not take over now; undefined when it would. */
  readonly heldBackBecause?: string | undefined;
  /** This code has migrations that the databases lack; they are to be tried before it takes over. */
  readonly isToTry?: boolean | undefined;
  /** The other system, where the settings name it. */
  readonly peer?: Peer | undefined;
  /** Why a person has to decide, or why the store does not answer. */
  readonly reason?: string | undefined;
}

/**
 * What a child can ask the primary; answers.ts has the type of each answer. `redeem`: whether the link to the
 * operator's page with this id is valid; from then on it is not.
 */
export type Question = 'system' | 'metrics' | 'history' | 'redeem';

export type ToChild =
  /** A connection; its handle comes with the message. `door`: the operator's socket that it came by, if it did. */
  | { readonly kind: 'connection'; readonly id: number; readonly door?: OpsDoor }
  /** How far the replica holds a database's WAL; for the writer. */
  | {
      readonly kind: 'replicated';
      readonly database: string;
      readonly generation: string;
      readonly salt: string;
      readonly offsetBytes: number;
    }
  /** How far the replica was behind, as the previous writer reported it last; sent after the confirmations. */
  | {
      readonly kind: 'behind';
      readonly database: string;
      readonly lagMs: number;
      readonly unconfirmedBytes: number;
    }
  /**
   * For a child that stands by: take this place, with this input for its role. A writer may now open the databases,
   * since the old one is gone.
   */
  | { readonly kind: 'activate'; readonly name: string; readonly input?: unknown }
  /** What the owner's record shall tell about the databases. */
  | ({ readonly kind: 'positions' } & LeasePositions)
  /** The same, to be written at once: the databases are about to have these migrations. */
  | ({ readonly kind: 'announced' } & LeasePositions)
  /** Litestream has uploaded this. Whether it counts depends on the record. */
  | ({ readonly kind: 'uploaded' } & Confirmation)
  /** The databases are whole, and in the state of the epoch that was to be restored. */
  | { readonly kind: 'databases-restored' }
  /** What the record of the leader tells: this is the folder to mirror. */
  | { readonly kind: 'mirror'; readonly followed: Followed }
  /** The result of a standby's drill, for its contender. */
  | { readonly kind: 'rehearsed'; readonly rehearsal: Rehearsal }
  /** The own epoch's folder has a snapshot of each database, and all that follows it. */
  | { readonly kind: 'epoch-covered' }
  /** The primary has received the last `leadership` message. */
  | { readonly kind: 'heard' }
  /** Renew the record now, and tell which system owns the replica. */
  | { readonly kind: 'renew' }
  /** Release the replica, then exit. `isOffered`: offer it, to be taken back by `reclaim` if no system takes it. */
  | { readonly kind: 'release'; readonly isOffered?: boolean }
  | { readonly kind: 'reclaim' }
  /** This system answers requests from now on. */
  | { readonly kind: 'serving' }
  /** Ask the other system for its state now. */
  | { readonly kind: 'ask-peer' }
  /** For a worker: hold new requests, and say `requests-held` when the earlier ones that may write are answered. */
  | { readonly kind: 'hold-requests' }
  /** For a worker: answer the requests that were held, or close their connections. */
  | { readonly kind: 'let-requests'; readonly be: 'answered' | 'closed' }
  /** For the writer: commit nothing until the next `commit-until`, keep new writes, and say `commits-held`. */
  | { readonly kind: 'hold-commits' }
  /** For the writer: refuse every write from now on, for this reason. */
  | { readonly kind: 'refuse-writes'; readonly because: string }
  /** For the writer of a system with a standby: until when it may commit, on the monotonic clock of this machine. */
  | { readonly kind: 'commit-until'; readonly monotonicMs: number }
  | { readonly kind: 'status'; readonly status: SystemStatus }
  /** The secret that verifies passes to the operator's page, in base64. A worker without it asks for no link. */
  | { readonly kind: 'ops-secret'; readonly secret: string }
  /** The answer to a question of this child. */
  | { readonly kind: 'told'; readonly id: number; readonly answer: unknown }
  /** Finish what is under way, take nothing new, then say `drained` (writer) or exit (others). */
  | { readonly kind: 'drain'; readonly timeoutMs: number };

export type ToPrimary =
  /** `notice`: what the person who starts the system should know. `schema`: of a writer, the databases' migrations. */
  | { readonly kind: 'ready'; readonly notice?: string; readonly schema?: Schema; readonly needs?: Schema }
  /** It was told to wait: it has loaded, and waits for `activate`. */
  | { readonly kind: 'standby' }
  /** It begins a step of its start that may block for any time. The start deadline begins anew with the next beat. */
  | { readonly kind: 'progress'; readonly detail: string }
  | {
      readonly kind: 'beat';
      readonly rssBytes: number;
      readonly heapUsedBytes: number;
      readonly served: number;
      /** What it has counted since its last beat. */
      readonly deltas: readonly SeriesDelta[];
    }
  /** A question, which `told` answers with the same id. */
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question; readonly about?: string }
  /** The connection is the child's now; none of its bytes has been read yet. */
  | { readonly kind: 'accepted'; readonly id: number }
  /** What the writer knows about the replication, by database. */
  | {
      readonly kind: 'lag';
      readonly reports: Readonly<Record<string, LagReport>>;
      /** Why writes are refused; undefined when they are not. */
      readonly readOnlyBecause: string | undefined;
      /** What is wrong with the databases while they serve. */
      readonly problems?: readonly Trouble[];
    }
  /**
   * The state of a process that reports it by itself: figures by name, for people; what is wrong, if anything is; and,
   * of a worker, the proxies that it has met.
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
  /** It commits nothing, and the last commit that it has reported stays the last until it may commit again. */
  | { readonly kind: 'commits-held' }
  /** Which system owns the replica. */
  | ({ readonly kind: 'ownership' } & Ownership)
  /** What this system may do beside another that stands by, and until when. */
  | ({ readonly kind: 'leadership' } & Leadership)
  /** The last `ask-peer` has ended; its result was sent before this. */
  | { readonly kind: 'peer-asked' }
  /** It is replicated from now on: any system that takes over has it. */
  | ({ readonly kind: 'counted' } & Pick<Confirmation, 'database' | 'generation' | 'salt' | 'offsetBytes'>)
  /** The result of the drill that this process was made for. */
  | { readonly kind: 'drilled'; readonly result: DrillResult }
  /** The result of the dry run that this process was made for; the databases are in the folder that it was given. */
  | { readonly kind: 'dry-run'; readonly result: DryRunResult }
  /** A database was replaced by its replica. `loss`: up to which commit, and which newer ones are lost, in words. */
  | { readonly kind: 'restored'; readonly database: string; readonly loss: string }
  /** The features were told that a database has gone back. `told`: what they did, in words. */
  | { readonly kind: 'rewound'; readonly id: string; readonly told: string }
  /** SQLite found a database damaged; or its files were removed or exchanged, and are put back. */
  | { readonly kind: 'damaged'; readonly reason: string; readonly isPutBack?: boolean | undefined }
  /** Why it is about to exit. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
