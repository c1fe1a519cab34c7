import { setTimeout as delay } from 'node:timers/promises';
import type { LagReport } from '../messages/messages.ts';
import type { CommitMark } from '../messages/positions.ts';
import type { Failure } from '../platform/errors.ts';
import { HistoryKeeper } from '../replication/history/keeper.ts';
import { describeCommits } from '../replication/history/quarantine.ts';
import { areAllThere } from '../replication/litestream-config.ts';
import type { Child } from './child.ts';
import type { ChildExit } from './child-exit.ts';
import { Drills } from './drills.ts';
import type { ContenderPlace } from './failover/contender-place.ts';
import { LeasePlace } from './lease-place.ts';
import type { Lifecycle } from './lifecycle.ts';
import { prepared } from './preparation.ts';
import { drainTimeoutMsOf, PROCESSES, type ProcessSpec } from './processes.ts';
import type { Deployment } from './release/deployment.ts';
import { ReplicaGuard } from './replica-guard.ts';
import type { ReplicaOwner } from './replica-owner.ts';
import { Replicator, type ReplicatorOptions } from './replicator.ts';
import type { Slot } from './slot.ts';
import { WriterPlace } from './writer-place.ts';

/** The shared replica of a system that used to be one of two: its own replica is a folder of that one. */
export interface Shared {
  /** This system's, with the shared replica, which has the record of the owner. */
  readonly deployment: Deployment;
  readonly folder: string;
}

export interface DataTierOptions
  extends Pick<ReplicatorOptions, 'deployment' | 'log' | 'events' | 'factory' | 'onChange'> {
  /** Of the writer. It is another one when the last exchange of releases was interrupted half-way. */
  readonly writerDeployment: Deployment;
  readonly lifecycle: Lifecycle;
  /** Whether to take the replica from the system that owns it. */
  readonly isTakeOver?: boolean | undefined;
  /** Set when the own replica is a folder of a replica that two systems shared. */
  readonly shared?: Shared | undefined;
  /** Owns the lead, beside another system that stands by; undefined where there is none. */
  readonly contender?: ContenderPlace | undefined;
  /** The databases were found whole a moment ago. */
  readonly areChecked?: boolean | undefined;
  /** This system leads no more, which nothing here can mend. */
  readonly onFatal: (failure: Failure) => void;
}

/**
 * How long to wait until the replica has the last commit. After that, the standby waits for the lease to end. It takes
 * longest soon after a start: a second for a heartbeat, and another until Litestream looks for it.
 */
const SHIPPED_MAX_MS = 5000;
const SHIPPED_LOOK_MS = 50;

/**
 * Everything that has the databases open. It prepares them, then starts Litestream, then the writer, and stops in
 * reverse. Drills belong here, since they compare database and replica. States and who moves them: down → preparing
 * (`start`) → up → down (`stop`); a start that fails is stopped too.
 */
export class DataTier {
  readonly lease: ReplicaOwner;
  readonly replicator: Replicator;
  readonly writer: WriterPlace;
  readonly drills: Drills;
  readonly history: HistoryKeeper;
  readonly guard: ReplicaGuard;
  readonly #options: DataTierOptions;
  #preparing: Child | undefined;
  /** How far the replica was behind when the previous system ended; used until the writer reports. */
  #behindAtStart: HistoryKeeper['behind'] = {};
  /** Whether a process that will prepare the databases is forked already, and loads its code. */
  #isPrepareForked = false;
  /** Whether the first preparation may skip a check that was made just now. */
  #areChecked: boolean;

  constructor(options: DataTierOptions) {
    const { deployment, writerDeployment, log, events, factory, onChange } = options;
    const { config } = deployment;
    this.#options = options;
    this.#areChecked = options.areChecked ?? false;
    this.history = new HistoryKeeper({
      dataDir: config.DATA_DIR,
      replicaUrl: config.replica.url,
      log,
      onNotice: (cause) => events.record('history', { cause }),
      onChange,
    });
    this.lease =
      options.contender ??
      new LeasePlace({
        deployment: options.shared?.deployment ?? deployment,
        folder: options.shared?.folder ?? '',
        isTakeOver: options.isTakeOver ?? false,
        factory,
        onTaken(how) {
          const { url } = config.replica;
          log.warn({ replica: url }, `the replica ${url} is this system's now: ${how}`);
          events.record('replica-taken', { cause: how });
        },
        onLost: (failure) => void this.#lose(failure),
        onChange,
      });
    this.replicator = new Replicator({
      ...options,
      running: () => this.running,
      onConfirmed: (confirmation) => {
        this.history.confirmed(confirmation);
        this.guard.confirmed(confirmation);
      },
      onEnded: () => this.guard.litestreamEnded(),
      onWedged: (reason, database) => void this.guard.wedged(reason, database),
      onCounted: (confirmation) => this.writer.confirmed(confirmation),
      isOwner: () => this.lease.isRecorded(),
      gate: options.contender && ((confirmation) => options.contender?.uploaded(confirmation)),
    });
    this.writer = new WriterPlace({
      deployment: writerDeployment,
      factory,
      events,
      confirmations: () => this.replicator.confirmations,
      behind: () => ({ ...this.#behindAtStart, ...this.replicator.monitor.reports }),
      onRewound: (id) => this.history.rewound(id),
      onSchema: (schema, needs) => this.lease.migrated(schema, needs),
      onLag: (reports) => {
        this.history.told(reports);
        this.lease.told(reports);
        this.replicator.monitor.look(reports);
        onChange();
      },
    });
    options.contender?.lead({
      onCounted: (confirmation) => this.replicator.counted(confirmation),
      onDeadline: (monotonicMs) => this.writer.commitUntil(monotonicMs),
      onLost: (failure) => void this.#lose(failure).then(() => options.onFatal(failure)),
      onChange,
    });
    this.guard = new ReplicaGuard({
      deployment,
      running: () => this.running.config,
      replicator: this.replicator,
      history: this.history,
      isOwner: () => this.lease.isHeld,
      compare: () => this.#runPrepare({ isServing: true }),
      // The finding stands until a drill has proven the replica.
      onProven: () => void this.drills.run().catch(() => {}),
      onChange,
    });
    this.drills = new Drills({
      dataDir: config.DATA_DIR,
      intervalMs: config.DRILL_INTERVAL_MS,
      spawn: () => this.#withReplica(PROCESSES.drill, {}),
      log,
      onChange,
      onResult: ({ ok, reason = 'no reason told', databases }) => {
        const drilled = Object.entries(databases);
        // Damage in the past of the replica stays there until its retention has passed.
        if (drilled.length > 0 && drilled.every(([, each]) => each.ok)) this.history.proven();
        if (!ok) events.record('drill-failed', { cause: reason });
        const damaged = drilled.flatMap(([database, { isDamaged }]) => (isDamaged ? database : []));
        if (damaged.length > 0) this.guard.damaged(damaged, reason);
      },
    });
  }

  /** The deployment of the writer, and so what every process beside it is made from. */
  get running(): Deployment {
    return this.writer.slot.deployment;
  }

  /** The very last commit of each database; undefined while the writer may commit more, or has not told its end. */
  get lastCommits(): Readonly<Record<string, CommitMark>> | undefined {
    return this.writer.isDrained ? this.#reported(({ lastCommit }) => lastCommit) : undefined;
  }

  /** In start order. */
  get slots(): readonly Slot[] {
    return [...(this.lease.slot ? [this.lease.slot] : []), this.replicator.slot, this.writer.slot];
  }

  /** @throws Failure the reason that it cannot start */
  async start(): Promise<void> {
    this.#preforkPrepare();
    await this.lease.start();
    // To learn whether another system holds the replica takes time: only a restore, which is long too, goes on.
    const { databases, config } = this.running;
    if (this.lease.waitsForOther && areAllThere(config.DATA_DIR, databases)) await this.lease.settled();
    await this.#prepare();
    this.history.open();
    this.#behindAtStart = this.history.behind;
    await this.lease.settled();
    await this.guard.start();
    await this.writer.start();
  }

  /** Ends the processes that nobody waits for any more; the processes that serve go on. */
  async abort(cause: string): Promise<void> {
    this.guard.stop();
    this.#preparing?.drain(drainTimeoutMsOf(PROCESSES.prepare, this.running.config), cause);
    this.replicator.stopProbing();
    await this.drills.stop(cause);
  }

  /** Stops everything here, when nothing sends writes any more: the last commit is shipped. */
  async stop(cause: string): Promise<void> {
    await this.writer.retire(cause);
    const { contender } = this.#options;
    // While Litestream runs: what it uploads at its end, it may not log.
    const isShipped = contender !== undefined && (await this.#isShipped());
    await this.replicator.stop(cause);
    if (isShipped) contender.shipped();
    // Only now may the writer's connections close.
    await this.writer.kill(cause);
    this.history.close(this.writer.isDrained && this.lease.failure === undefined);
    await this.#preparing?.ended();
  }

  /**
   * Holds all commits from now on, until `writer.go`.
   * @returns whether the replica has every commit
   */
  async hold(): Promise<boolean> {
    return (await this.writer.hold()) && (await this.#isShipped(() => this.writer.isHolding));
  }

  /** @returns whether the last commit of each database counts as replicated; only a running writer can tell */
  async #isShipped(isFinal = () => this.writer.isDrained): Promise<boolean> {
    const endMs = performance.now() + SHIPPED_MAX_MS;
    while (isFinal() && this.lease.isHeld) {
      const reports = Object.values(this.replicator.monitor.reports);
      if (reports.length > 0 && reports.every(({ unconfirmedCommits }) => unconfirmedCommits === 0))
        return true;
      if (performance.now() > endMs) return false;
      await delay(SHIPPED_LOOK_MS);
    }
    return false;
  }

  /** The replica is another system's: nothing is added to it any more, and the databases here can only be read. */
  async #lose(failure: Failure): Promise<void> {
    const { log, events, onChange } = this.#options;
    const cause = `${failure.message.replace(/\.?$/, '.')} ${this.#onlyHere()}`;
    this.guard.stop();
    this.replicator.stopProbing();
    // At once: a Litestream that gets SIGTERM uploads first.
    const killed = this.replicator.kill(failure.message);
    this.writer.refuse(failure.message);
    log.error({ code: failure.code }, `${cause} Writes are refused, reads go on.`);
    events.record('replica-lost', { cause });
    if (this.#options.contender && this.#commitsOnlyHere().length > 0)
      events.record('orphaned', { cause: `The other system leads. ${this.#onlyHere()}` });
    onChange();
    await Promise.all([killed, this.drills.stop(failure.message)]);
  }

  /** Which commits the replica is not known to have, for people. */
  #onlyHere(): string {
    const texts = this.#commitsOnlyHere();
    return texts.length === 0
      ? 'Every commit of this one was confirmed there.'
      : `Only here are, as far as known: ${texts.join('; ')}.`;
  }

  #commitsOnlyHere(): readonly string[] {
    return Object.entries(this.replicator.monitor.reports).flatMap(
      ([database, { lastCommit, confirmed, unconfirmedCommits }]) => {
        if (unconfirmedCommits === 0 || lastCommit.ordinal === 0) return [];
        const first = (confirmed?.ordinal ?? 0) + 1;
        return [`${describeCommits(first, lastCommit.ordinal)} of ${database}`];
      },
    );
  }

  async #prepare(): Promise<void> {
    const { events, lifecycle, log } = this.#options;
    const isChecked = this.#areChecked;
    this.#areChecked = false;
    await prepared({
      run: () =>
        this.#runPrepare({ lastCommits: this.#lastCommits(), isChecked }, (database, loss) => {
          this.replicator.monitor.restored(database);
          events.record('restored', { cause: `${database} was restored: ${loss}` });
        }),
      demandGoingOn: () => lifecycle.demandNotEnding(),
      log,
    });
  }

  /** Loads the code of `prepare` while the owner is found out. An older release cannot say that it has loaded. */
  #preforkPrepare(): void {
    const { running } = this;
    const { factory, deployment } = this.#options;
    if (running.release.hash !== deployment.release.hash) return;
    factory.prefork(PROCESSES.prepare, { name: PROCESSES.prepare.role, deployment: running });
    this.#isPrepareForked = true;
  }

  async #runPrepare(
    input: object,
    onRestored: (database: string, loss: string) => void = () => {},
  ): Promise<ChildExit> {
    const child = this.#withReplica(PROCESSES.prepare, input);
    this.#preparing = child;
    const isPreforked = this.#isPrepareForked;
    this.#isPrepareForked = false;
    child.on('message', (message) => {
      if (message.kind === 'restored') onRestored(message.database, message.loss);
    });
    // The preparation has no deadline. A process that was preforked says itself when it has loaded.
    if (!isPreforked) child.markReady();
    return new Promise((resolve) => child.once('exit', resolve));
  }

  /** A process that reads the replica by itself. */
  #withReplica(spec: ProcessSpec, more: object): Child {
    const deployment = this.running;
    const { litestream, litestreamConfigPath, databases } = deployment;
    const input = { litestream, litestreamConfigPath, databases, ...more };
    return this.#options.factory.child(spec, { name: spec.role, deployment, input });
  }

  /** The last commit of each database, as far as this primary knows. */
  #lastCommits(): object {
    const isFinal = this.writer.isDrained;
    return this.#reported(({ lastCommit }) => ({ ...lastCommit, isFinal }));
  }

  #reported<Value>(of: (report: LagReport) => Value): Record<string, Value> {
    const reports = Object.entries(this.replicator.monitor.reports);
    return Object.fromEntries(reports.map(([name, report]) => [name, of(report)]));
  }
}
