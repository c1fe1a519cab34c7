import type { ContenderState } from './contender-state.ts';
import type { DrillResult } from './drill-result.ts';
import type { LagReport, Peer, ReplicationState, SystemStatus } from './messages.ts';

/**
 * The whole system at one moment, as its primary knows it. `ninelives status --json` prints it, and everything else
 * that shows the system is made from it. It is JSON, so unknown values are null.
 */
export interface SystemSnapshot {
  /** When it was taken; milliseconds since the epoch, as every `…AtMs` here. */
  readonly atMs: number;
  /** Of this project, when the primary started. */
  readonly version: string;
  readonly nodeVersion: string;
  readonly state: SystemState;
  readonly stateSinceAtMs: number;
  readonly startedAtMs: number;
  /** Null until it listens. */
  readonly url: string | null;
  /** Where the operator's routes are: `unix:PATH`, or a URL; null until it listens. */
  readonly ops: string | null;
  readonly dataDir: string;
  readonly replica: { readonly url: string; readonly isOnSameDisk: boolean };
  readonly releases: ReleasesSnapshot;
  /** Whether it serves, and what is wrong while it does. */
  readonly status: SystemStatus;
  readonly primary: PrimarySnapshot;
  /** In start order; the spares last. */
  readonly children: readonly ChildSnapshot[];
  readonly replication: ReplicationSnapshot;
  readonly lastDrill: DrillResult | null;
  /** Undefined with FAILOVER=off. */
  readonly failover?: FailoverSnapshot | undefined;
  readonly storage: StorageSnapshot;
  readonly listener: { readonly waitingConnections: number };
  /** Addresses of peers that pass requests on, and that TRUSTED_PROXIES does not name. */
  readonly unnamedProxies: readonly string[];
  /** The newest events, oldest first. */
  readonly events: readonly SystemEvent[];
}

/** `standby`: another system leads, and this one takes over when the other is gone. */
export type SystemState = 'standby' | 'starting' | 'serving' | 'healing' | 'stopping' | 'stopped';

/** Names a release: the version in its package.json, and the hash of its code and packages. */
export interface ReleaseName {
  readonly version: string;
  readonly hash: string;
}

/** Which releases run. */
export interface ReleasesSnapshot {
  /** The primary's release does not change before a restart. */
  readonly primary: ReleaseName;
  /** Differs from the workers' release only where a reload stopped half-way. */
  readonly writer: ReleaseName;
  readonly workers: ReleaseName;
  /** The release that `rollback` brings back; null when no other has run. */
  readonly previous: ReleaseName | null;
  /** Why `rollback` would be refused; null when it would not. */
  readonly rollbackProblem: string | null;
  /** Why it is not the code that was on the disk at the start; null when it is that code. */
  readonly because: string | null;
}

export interface PrimarySnapshot {
  readonly pid: number;
  readonly ageMs: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
}

/** One slot of the tree, and the process in it. */
export interface ChildSnapshot {
  /** Such as `worker-2`. */
  readonly name: string;
  /** Such as `worker`: the name without its number. */
  readonly role: string;
  /** The state of its process; that of its slot, while it has no process. */
  readonly state:
    | 'starting'
    | 'standby'
    | 'ready'
    | 'draining'
    | 'stopping'
    | 'dead'
    | 'serving'
    | 'exchanging'
    | 'backing-off'
    | 'broken'
    | 'stopped';
  /** A successor is on its way. */
  readonly isBeingReplaced: boolean;
  /** The hash of the release that this process runs; null while there is none. */
  readonly release: string | null;
  readonly pid: number | null;
  /** Age of this process. */
  readonly ageMs: number | null;
  /** Deaths after which it was restarted, since the primary started. */
  readonly restarts: number;
  /** How the last process in this slot ended. */
  readonly lastExitCause: string | null;
  /** `open`: it failed again and again, and is retried slowly. */
  readonly breaker: 'closed' | 'open';
  readonly rssBytes: number | null;
  /** Null for a process that is not Node.js. */
  readonly heapUsedBytes: number | null;
  /** Requests that it has served; 0 for other processes. */
  readonly served: number;
  /** What a background process reports, by name; empty for the others. */
  readonly gauges: Readonly<Record<string, number>>;
}

export interface ReplicationSnapshot {
  readonly state: ReplicationState;
  /** Age of the oldest commit of any database that the replica has not confirmed; 0 when it has all. */
  readonly lagMs: number;
  readonly trouble: string | null;
  /** By database, as the writer told last. */
  readonly databases: Readonly<Record<string, LagReport>>;
  /** Sizes of the databases that were uploaded anew because the replica had lost something. */
  readonly renewedBytes: number;
}

/** The roles of this system and the other one. */
export interface FailoverSnapshot {
  readonly role: ContenderState;
  /** The epoch in the record. */
  readonly epoch: number | null;
  /** The folder that counts, below the replica; empty: the replica itself. */
  readonly data: string | null;
  /** The leader's name, where the other system leads. */
  readonly holder: string | null;
  /** When the record was renewed last, as far as seen here. */
  readonly renewedAtMs: number | null;
  /** Why this system would not take over now; null when it would, or leads. */
  readonly heldBackBecause: string | null;
  /** The other system; null where no setting names it, or it was not asked yet. */
  readonly peer: Peer | null;
  /** What a standby has mirrored; null before it has anything, and for a leader. */
  readonly mirror: {
    readonly files: number;
    readonly bytes: number;
    /** For how long it has lacked something that is confirmed; 0 when it has all. */
    readonly lagMs: number;
    readonly syncedAtMs: number;
  } | null;
  /** How long the last drill of a standby took to restore what a takeover would. */
  readonly restoreMs: number | null;
}

export interface StorageSnapshot {
  /** Free space on the disk of the data folder. */
  readonly freeMb: number | null;
  readonly reserveMb: number;
  /** Why writes are refused; null when they are not. */
  readonly readOnlyBecause: string | null;
}

/**
 * What can happen to a system:
 * - start, serving, stop, failed: of the system as a whole
 * - primary-died: the primary before was not stopped: it was killed, or the machine lost power
 * - crash, restart, breaker-open: a child died; its place is filled again; or only slowly, since it keeps dying
 *   The cause of a restart, as that of a replace, is a sentence whose subject is the child
 * - replace: a child was exchanged for a new one that was ready before
 * - reload, reload-failed: the code on disk is in service; or it did not come up
 * - reload-step: what the dry run of the migrations does now, which may take minutes
 * - stall: the replication stood still, and Litestream is started again
 * - replication: its state changed
 * - restored: a database came from the replica; up to which commit, and which newer ones are lost
 * - history: a start has found that a database, the records about it and the replica disagree; what was done
 * - rewind: a database has gone back in time; what each feature did about what had happened outside since then
 * - replica-taken, replica-lost: the replica was another system's, which is gone; it is another system's now
 * - standby: the other system leads, and this one stands by
 * - took-over: this system leads in the place of the other one, and serves
 * - suspended, resumed: it is unknown whether this system still leads, and it commits nothing; it is known again
 * - fenced: the other system leads, and this one ends
 * - demoted: this system has given the lead away
 * - orphaned: a system that was fenced has commits which the replica is not known to have
 * - leads: this system leads from now on, with FAILOVER=lease; it serves
 * - handover: the other system leads, as this one was asked to hand over
 * - heal, healed: a database was found damaged; it serves again
 * - database: a lock, the size of a WAL or the room on the disk is out of bounds while it serves
 * - writes-refused, writes-accepted: the disk or the backlog is full; there is room again
 * - drill-failed: the replica could not be proven
 */
export type SystemEventKind =
  | 'start'
  | 'primary-died'
  | 'serving'
  | 'stop'
  | 'failed'
  | 'crash'
  | 'restart'
  | 'breaker-open'
  | 'replace'
  | 'reload'
  | 'reload-failed'
  | 'reload-step'
  | 'stall'
  | 'database'
  | 'replication'
  | 'restored'
  | 'history'
  | 'rewind'
  | 'replica-taken'
  | 'replica-lost'
  | 'leads'
  | 'standby'
  | 'took-over'
  | 'suspended'
  | 'resumed'
  | 'fenced'
  | 'demoted'
  | 'orphaned'
  | 'handover'
  | 'heal'
  | 'healed'
  | 'writes-refused'
  | 'writes-accepted'
  | 'drill-failed';

export interface SystemEvent {
  /** Rises by one with each event, also across starts of one data folder. */
  readonly id: number;
  readonly atMs: number;
  readonly kind: SystemEventKind;
  /** The child that it happened to; null for the system. */
  readonly child: string | null;
  readonly pid: number | null;
  /** Why, in words. */
  readonly cause: string;
  /** How long it took, where that says something: a restart, a healing. */
  readonly durationMs: number | null;
}
