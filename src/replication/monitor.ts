import type { Confirmation } from '../messages/confirmation.ts';
import type { LagReport, ReplicationState, ReplicationStatus } from '../messages/messages.ts';
import type { Logger } from '../platform/log.ts';
import { RepeatedFailure } from './repeated-failure.ts';

const HYSTERESIS = 0.5;
/** For this long an error in Litestream's log explains why nothing arrives: it retries by itself meanwhile. */
const ERROR_EXPLAINS_MS = 60_000;
/** While a store refuses its uploads, a working Litestream logs an error at least this often. */
const COMPLAINT_INTERVAL_MS = 1500;
/** How long a working Litestream gets to upload something when the store is back. */
const BACK_GRACE_MS = 750;
/** A store that comes and goes must not cause endless restarts: at most this many in each window. */
const BACK_RESTARTS_MAX = 3;
const BACK_WINDOW_MS = 30_000;
/** Restarting Litestream does not heal a store that hangs: the time until the next restart doubles up to this. */
const PATIENCE_MAX_MS = 5 * 60_000;

/** A failure that repeats for this many stall timeouts is not the store's: an outage would be noticed by then. */
const FAILURE_STALLS = 5;

/** The slowest upload that is expected of a snapshot. */
const SNAPSHOT_MIN_BYTES_PER_MS = 250;

/** The progress of one database. */
interface Progress {
  /** Since when nothing of the database has arrived. */
  sinceMs: number;
  /** How long that may take before Litestream is restarted. */
  patienceMs: number;
  /** How much longer it may take while a snapshot is uploaded, which is silent until it is done. */
  snapshotMs: number;
  /** Whether anything of the database has arrived since the store was back. */
  hasArrivedSinceBack: boolean;
}

export interface ReplicationMonitorOptions {
  /** A commit younger than this may be unconfirmed without a problem. */
  readonly lagNormalMs: number;
  /** No confirmation for this long, while commits wait, is a stall. */
  readonly stallTimeoutMs: number;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
  /** Called when Litestream has to be restarted. */
  readonly onStall: (cause: string) => void;
  /** Called when Litestream keeps failing at the same, a restart has not helped, and the store is there. */
  readonly onWedged: (reason: string, database: string | undefined) => void;
  readonly onChange: () => void;
}

/**
 * Judges the replication from the writer's reports (the age of the oldest unconfirmed commit), Litestream's log
 * (confirmations, errors) and the probes of the store. The states are those of ReplicationState; each `look` may move
 * from any to any. "Uploader" is Litestream.
 */
export class ReplicationMonitor {
  readonly #options: ReplicationMonitorOptions;
  #state: ReplicationState = 'streaming';
  #reports: Readonly<Record<string, LagReport>> = {};
  readonly #progress = new Map<string, Progress>();
  /** `sinceMs` for a database that nothing was heard of yet. */
  #sinceMs: number;
  readonly #repeated: RepeatedFailure;
  #lastError: { readonly atMs: number; readonly reason: string } | undefined;
  /** Why the store does not answer; undefined when it does. */
  #silence: string | undefined;
  /** Since when the store is back while some database still waits for an upload; undefined when none does. */
  #backAtMs: number | undefined;
  /** The times of the last restarts for that reason. */
  #backRestartsMs: readonly number[] = [];

  constructor(options: ReplicationMonitorOptions) {
    this.#options = options;
    this.#repeated = new RepeatedFailure(FAILURE_STALLS * options.stallTimeoutMs);
    this.#sinceMs = options.now();
  }

  get state(): ReplicationState {
    return this.#state;
  }

  /** By database, the writer's last report. */
  get reports(): Readonly<Record<string, LagReport>> {
    return this.#reports;
  }

  /** The state with its reason, and the totals of all databases. */
  get status(): ReplicationStatus {
    const databases = this.#reports;
    return {
      state: this.#state,
      reason: this.trouble,
      lagMs: Math.round(this.lagMs),
      unconfirmedBytes: Object.values(databases).reduce(
        (sum, { unconfirmedBytes }) => sum + unconfirmedBytes,
        0,
      ),
      databases,
    };
  }

  /** The age of the oldest commit of any database that is not confirmed; 0 when all are. */
  get lagMs(): number {
    return Math.max(0, ...Object.values(this.#reports).map((report) => report.lagMs));
  }

  /** What is wrong, for people; undefined while streaming. */
  get trouble(): string | undefined {
    if (this.#state === 'streaming') return undefined;
    const age =
      this.lagMs === 0
        ? 'it lacks nothing yet'
        : `the oldest commit that is not in the replica is ${Math.round(this.lagMs / 1000)} s old`;
    // Something may have arrived since the last look: then there is no reason any more.
    const reason = this.#state === 'unreachable' ? (this.#silence ?? this.#lastError?.reason) : undefined;
    return reason === undefined ? `${this.#state}: ${age}` : `${this.#state}: ${reason}; ${age}`;
  }

  /** The replica has advanced. */
  confirmed({ database }: Pick<Confirmation, 'database'>): void {
    const progress = this.#progressOf(database);
    progress.sinceMs = this.#options.now();
    progress.patienceMs = this.#options.stallTimeoutMs;
    // Segments are uploaded beside a snapshot, so that only the very first snapshot is waited for.
    progress.snapshotMs = 0;
    progress.hasArrivedSinceBack = true;
    this.#repeated.arrived(database);
    this.#lastError = undefined;
  }

  /** The upload of a snapshot begins. Before the first one is done, nothing else of the database is uploaded. */
  snapshotBegan(database: string, sizeBytes: number): void {
    const progress = this.#progressOf(database);
    progress.sinceMs = this.#options.now();
    progress.snapshotMs = sizeBytes / SNAPSHOT_MIN_BYTES_PER_MS;
  }

  /** A snapshot is in the replica. That is progress, though it confirms no commit. */
  snapshotEnded(database: string): void {
    const progress = this.#progressOf(database);
    progress.sinceMs = this.#options.now();
    progress.snapshotMs = 0;
    progress.hasArrivedSinceBack = true;
    this.#repeated.arrived(database);
  }

  /**
   * Litestream reports that it could not upload.
   * @param database undefined where it does not name one
   */
  failed(reason: string, database?: string): void {
    const atMs = this.#options.now();
    this.#lastError = { atMs, reason };
    this.#repeated.failed(database, reason, atMs);
  }

  /**
   * Takes the result of a probe of the store. When the store is back, Litestream may still wait for ever for an earlier
   * answer, or be in a long back-off. Unless it uploads something at once, it is restarted.
   *
   * @param silence why the store does not answer; undefined when it does
   */
  probed(silence: string | undefined): void {
    const nowMs = this.#options.now();
    const isBack = this.#silence !== undefined && silence === undefined;
    this.#silence = silence;
    if (silence !== undefined) {
      this.#repeated.reset();
      this.#backAtMs = undefined;
    }
    if (isBack) {
      this.#sinceMs = nowMs;
      for (const progress of this.#progress.values()) {
        progress.sinceMs = nowMs;
        progress.patienceMs = this.#options.stallTimeoutMs;
        progress.hasArrivedSinceBack = false;
      }
      const isTrying = nowMs - (this.#lastError?.atMs ?? Number.NEGATIVE_INFINITY) < COMPLAINT_INTERVAL_MS;
      this.#backAtMs = isTrying ? nowMs : nowMs - BACK_GRACE_MS;
    }
    this.look(this.#reports);
  }

  /** A database was restored: nothing waits any more for what the replica lacked of the previous one. */
  restored(database: string): void {
    const report = this.#reports[database];
    if (!report) return;
    const nothing = { lagMs: 0, unconfirmedBytes: 0, unconfirmedCommits: 0 };
    this.#reports = { ...this.#reports, [database]: { ...report, ...nothing } };
  }

  /** Litestream was restarted: its time without an upload starts over. */
  restarted(): void {
    this.#sinceMs = this.#options.now();
    for (const progress of this.#progress.values()) {
      progress.sinceMs = this.#sinceMs;
      progress.snapshotMs = 0;
    }
  }

  /** Takes the writer's reports, and judges anew. */
  look(reports: Readonly<Record<string, LagReport>>): void {
    this.#reports = reports;
    // Everything has arrived since the store was back.
    if (this.#stuckSinceBack.length === 0) this.#backAtMs = undefined;
    const nowMs = this.#options.now();
    const previous = this.#state;
    const late = this.#late;
    this.#state = this.#judge(nowMs, late);
    if (this.#state !== previous) this.#tell(previous);
    if (this.#isToRestartSinceBack(nowMs)) {
      this.#backAtMs = undefined;
      this.#backRestartsMs = [...this.#backRestartsMs, nowMs].slice(-BACK_RESTARTS_MAX);
      this.#options.onStall('the store answers again, and the uploader still waits for it');
      return;
    }
    const remedy = this.#repeated.look(nowMs);
    if (remedy?.kind === 'restart') this.#options.onStall(`it fails again and again: ${remedy.reason}`);
    if (remedy?.kind === 'renew') this.#options.onWedged(remedy.reason, remedy.database);
    if (remedy) return;
    const stuck = late.filter((progress) => silenceMs(progress, nowMs) > progress.patienceMs);
    if (this.#state !== 'stalled' || stuck.length === 0) return;
    const silentMs = Math.max(...stuck.map(({ sinceMs }) => nowMs - sinceMs));
    for (const progress of stuck) {
      progress.patienceMs = Math.min(PATIENCE_MAX_MS, progress.patienceMs * 2);
      progress.sinceMs = nowMs;
    }
    this.#options.onStall(
      `stalled: nothing uploaded for ${Math.round(silentMs / 1000)} s while commits wait`,
    );
  }

  #progressOf(database: string): Progress {
    let progress = this.#progress.get(database);
    if (!progress) {
      const patienceMs = this.#options.stallTimeoutMs;
      progress = { sinceMs: this.#sinceMs, patienceMs, snapshotMs: 0, hasArrivedSinceBack: false };
      this.#progress.set(database, progress);
    }
    return progress;
  }

  #isToRestartSinceBack(nowMs: number): boolean {
    if (this.#backAtMs === undefined || nowMs - this.#backAtMs < BACK_GRACE_MS) return false;
    const recent = this.#backRestartsMs.filter((atMs) => nowMs - atMs < BACK_WINDOW_MS);
    return this.#stuckSinceBack.length > 0 && recent.length < BACK_RESTARTS_MAX;
  }

  /** The databases of which nothing has arrived since the store was back, though something should have. */
  get #stuckSinceBack(): readonly Progress[] {
    return this.#laterThan(this.#options.lagNormalMs).filter(
      ({ hasArrivedSinceBack }) => !hasArrivedSinceBack,
    );
  }

  /** The databases with too much lag; with hysteresis, so that a lag around the limit does not alternate two states. */
  get #late(): readonly Progress[] {
    return this.#laterThan(this.#options.lagNormalMs * (this.#state === 'catching-up' ? HYSTERESIS : 1));
  }

  #laterThan(limitMs: number): readonly Progress[] {
    return Object.entries(this.#reports)
      .filter(([, { lagMs }]) => lagMs > limitMs)
      .map(([database]) => this.#progressOf(database));
  }

  #judge(nowMs: number, late: readonly Progress[]): ReplicationState {
    const { stallTimeoutMs } = this.#options;
    if (this.#silence !== undefined) return 'unreachable';
    if (late.length === 0) return 'streaming';
    if (this.#lastError && nowMs - this.#lastError.atMs < ERROR_EXPLAINS_MS) return 'unreachable';
    // A stall lasts until something arrives; a restart of Litestream is no progress.
    const isStalled = late.some(
      (progress) =>
        silenceMs(progress, nowMs) > stallTimeoutMs ||
        (this.#state === 'stalled' && progress.patienceMs > stallTimeoutMs),
    );
    return isStalled ? 'stalled' : 'catching-up';
  }

  #tell(previous: ReplicationState): void {
    const { log, onChange } = this.#options;
    const fields = { state: this.#state, previous, lagMs: Math.round(this.lagMs) };
    if (this.#state === 'streaming') log.info(fields, 'replication is streaming again');
    else if (this.#state === 'catching-up') log.info(fields, `replication is ${this.trouble}`);
    else log.warn(fields, `replication is ${this.trouble}`);
    onChange();
  }
}

/** @returns how long nothing has arrived, less the time that a snapshot may take */
function silenceMs({ sinceMs, snapshotMs }: Progress, nowMs: number): number {
  return nowMs - sinceMs - snapshotMs;
}
