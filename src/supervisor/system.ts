import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DrillResult } from '../messages/drill-result.ts';
import type { SystemSnapshot } from '../messages/snapshot.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { version } from '../platform/version.ts';
import { markDamage } from '../replication/damage-mark.ts';
import { isSameDisk } from '../replication/same-disk.ts';
import { addressesOf, type Listening, listenAtAll, pageUrlOf, tryAddresses } from './addresses.ts';
import type { Child } from './child.ts';
import { processClock } from './clock.ts';
import { DataTier, type Shared } from './data-tier.ts';
import type { Events } from './events.ts';
import type { ContenderPlace } from './failover/contender-place.ts';
import { failoverSnapshot } from './failover/failover-snapshot.ts';
import { Lifecycle } from './lifecycle.ts';
import { Listener } from './listener.ts';
import { NotifyPlace } from './notify-place.ts';
import { OpsLinks } from './ops-links.ts';
import { ProcessFactory } from './process-factory.ts';
import { PROCESSES } from './processes.ts';
import { Recovery } from './recovery.ts';
import { Recycler } from './recycler.ts';
import type { Deployment } from './release/deployment.ts';
import { Exchange, type ReloadRequest } from './release/exchange.ts';
import type { ReloadOutcome } from './release/outcome.ts';
import type { Releases } from './release/releases.ts';
import type { Settled } from './release/settle.js';
import { RollingReplacement } from './rolling-replacement.ts';
import { ServingTier } from './serving-tier.ts';
import type { Slot } from './slot.ts';
import {
  freeMb,
  SNAPSHOT_EVENTS,
  snapshotOfPrimary,
  snapshotOfReplication,
  snapshotOfSlot,
  snapshotOfSpare,
} from './snapshot.ts';
import { StatusBoard } from './status-board.ts';
import { stopInTime, stopTimeoutMsOf } from './stop-deadline.ts';
import type { ServiceSockets } from './systemd/environment.ts';
import { Telemetry } from './telemetry.ts';
import { UnnamedProxies } from './unnamed-proxies.ts';

/** How many of the newest events a snapshot carries. The command `events` gives more. */
/** How long requests that are under way may take to be answered before the lead is handed over. */
const UNDER_WAY_MS = 2000;

export interface SystemOptions {
  readonly releases: Releases;
  /** Which releases the start has chosen, and why. */
  readonly settled: Settled;
  /** What the system is started from: release, settings, secrets. */
  readonly deployment: Deployment;
  /** Of the writer. It is another one when the last exchange of releases was interrupted half-way. */
  readonly writerDeployment: Deployment;
  /** Sockets that the service manager has opened; undefined without one. */
  readonly sockets?: ServiceSockets | undefined;
  readonly log: Logger;
  readonly events: Events;
  /** Whether to take the replica from the system that owns it (`--take-over`). */
  readonly isTakeOver?: boolean;
  /** Where the replica is, for a system that used to be one of two (FAILOVER=lease). */
  readonly shared?: Shared | undefined;
  /** What this system takes over from the standby that it was; undefined without FAILOVER=lease. */
  readonly leading?: Leading | undefined;
  /** Called once when the system cannot go on. */
  readonly onFatal: (failure: Failure) => void;
}

/** What a system that leads has already from the time when it stood by (FAILOVER=lease). */
export interface Leading {
  readonly contender: ContenderPlace;
  readonly listener: Listener;
  readonly listening: Listening;
  /** It runs already. */
  readonly notify: NotifyPlace;
  readonly links: OpsLinks;
  /** The databases were brought here a moment ago and found whole: they need no second check. */
  readonly areChecked: boolean;
  /** Forgets the epoch of the databases here: the next start restores them from the folder that counts. */
  readonly abandon: () => void;
}

/** Which system leads after a handover, and how long requests have waited for that. */
export interface HandedOver {
  readonly to: string;
  readonly durationMs: number;
  /** Why the new leader does not serve; undefined when it does. */
  readonly problem?: string | undefined;
}

/** A link to the operator's page: `url#token`. */
export interface OpsLink {
  readonly url: string;
  /** Behind the `#`, which no browser sends. */
  readonly token: string;
}

/**
 * The tree of processes, started in order and stopped in reverse: the data tier, the port, the serving tier. Its states
 * are those of `Lifecycle`. The port stays open from the first start to the stop, whichever process dies.
 */
export class System {
  readonly #options: SystemOptions;
  readonly #lifecycle = new Lifecycle();
  readonly #listener: Listener;
  readonly #factory: ProcessFactory;
  readonly #notify: NotifyPlace;
  readonly #data: DataTier;
  readonly #serving: ServingTier;
  readonly #replacement: RollingReplacement;
  readonly #exchange: Exchange;
  readonly #board: StatusBoard;
  readonly #recovery: Recovery;
  readonly #recycler: Recycler;
  readonly #proxies: UnnamedProxies;
  readonly #links: OpsLinks;
  #listening: Listening | undefined;
  #isReplicaOnSameDisk: boolean | undefined;

  constructor(options: SystemOptions) {
    const { deployment, log, events, onFatal } = options;
    const { config } = deployment;
    this.#options = options;
    const lifecycle = this.#lifecycle;
    const onChange = () => this.#board.changed();
    this.#listener = options.leading?.listener ?? new Listener(config.CONNECTION_QUEUE_MAX, log);
    const telemetry = new Telemetry({
      events,
      snapshot: () => this.snapshot(),
      lagMs: () => this.#data.replicator.monitor.lagMs,
      redeem: (id) => this.#links.redeem(id),
    });
    const factory = new ProcessFactory({
      log,
      events,
      telemetry,
      onChange,
      check: (release) => options.releases.check(release),
      onDamage: (reason, isPutBack) => this.#recovery.heal(reason, isPutBack),
    });
    this.#factory = factory;
    this.#links = options.leading?.links ?? new OpsLinks();
    this.#notify = options.leading?.notify ?? new NotifyPlace({ deployment, factory, onReport: onChange });
    const contender = options.leading?.contender;
    const areChecked = options.leading?.areChecked;
    this.#data = new DataTier({ ...options, contender, areChecked, factory, lifecycle, onChange });
    this.#serving = new ServingTier({
      ...options,
      factory,
      lifecycle,
      url: () => this.#listening?.url ?? '',
      onReady: (child) => this.#admit(child),
      onReport: () => {
        this.#proxies.look();
        onChange();
      },
      onChange,
    });
    this.#proxies = new UnnamedProxies(() => this.#serving.workers, log);
    this.#board = new StatusBoard({
      lifecycle,
      notify: this.#notify,
      data: this.#data,
      serving: this.#serving,
      releaseTrouble: () => this.#exchange.trouble,
      proxyProblem: () => this.#proxies.problem,
      recycler: () => this.#recycler,
    });
    this.#replacement = new RollingReplacement({
      lifecycle,
      slots: () => this.#slots,
    });
    this.#exchange = new Exchange({
      ...options,
      lifecycle,
      writer: this.#data.writer.slot,
      serving: this.#serving,
      beside: this.#notify.slots,
      replacement: this.#replacement,
      factory,
      primary: deployment,
      announce: contender && ((schema, needs) => contender.announce(schema, needs)),
    });
    this.#recovery = new Recovery({
      mode: config.HEAL,
      lifecycle,
      log,
      events,
      mark: () => markDamage(config.DATA_DIR),
      refusal: () => {
        const { leading } = options;
        if (!leading || leading.contender.countingFolder !== undefined) return undefined;
        leading.abandon();
        return new Failure(
          'fenced',
          'A database is damaged, and the own folder of this leader does not count yet: the databases are restored from the one that does, by whoever leads next',
        );
      },
      stop: (drainTimeoutMs, cause) => this.#stopChildren(cause, drainTimeoutMs),
      start: async () => {
        await this.#startData();
        await this.#serve();
      },
      onChange: () => this.#board.announce(),
      onFatal,
    });
    this.#recycler = new Recycler({
      limits: { memoryMb: config.MEMORY_LIMIT_MB, requests: config.MAX_REQUESTS, ageMs: config.MAX_AGE_MS },
      replace: (slot, cause) => this.#replacement.replace(slot, { cause }),
      isServing: () => lifecycle.isServing,
      random: Math.random,
      onChange,
      log,
    });
    for (const slot of [this.#data.writer.slot, ...this.#serving.slots]) this.#recycler.watch(slot);
  }

  /** In start order. */
  get #slots(): readonly Slot[] {
    return [...this.#notify.slots, ...this.#data.slots, ...this.#serving.slots];
  }

  /** The URL that it listens on; undefined before it listens. */
  get url(): string | undefined {
    return this.#listening?.url;
  }

  /** The operator's address: `unix:PATH`, or a URL; undefined before it listens. */
  get opsUrl(): string | undefined {
    return this.#listening?.opsUrl;
  }

  /**
   * @returns a new link to the operator's page, which can be exchanged once
   * @throws Failure not_ready when it does not listen yet
   */
  opsLink(): OpsLink {
    this.#lifecycle.demandServing();
    if (!this.#listening) throw new Failure('not_ready', 'The system does not listen yet');
    return { url: pageUrlOf(this.#listening), token: this.#links.issue() };
  }

  /** What the person who starts the system should know, as the writer tells it; undefined when there is nothing. */
  get notice(): string | undefined {
    return this.#data.writer.slot.child?.notice;
  }

  /** Everything that is known of the system now. Cheap enough to ask for several times a second. */
  snapshot(): SystemSnapshot {
    const { deployment, events, leading } = this.#options;
    const { config } = deployment;
    const { DATA_DIR, DISK_RESERVE_MB, replica } = config;
    const { replicator, writer, drills } = this.#data;
    // Asked once: a folder on a network may answer slowly, and the answer does not change.
    this.#isReplicaOnSameDisk ??= isSameDisk(DATA_DIR, replica);
    return {
      atMs: Date.now(),
      version,
      nodeVersion: process.versions.node,
      state: this.#lifecycle.state,
      stateSinceAtMs: this.#lifecycle.sinceAtMs,
      startedAtMs: this.#lifecycle.startedAtMs,
      url: this.#listening?.url ?? null,
      ops: this.#listening?.opsUrl ?? null,
      dataDir: DATA_DIR,
      replica: { url: replica.url, isOnSameDisk: this.#isReplicaOnSameDisk },
      releases: this.#exchange.snapshot,
      status: this.#board.status,
      primary: snapshotOfPrimary(),
      children: [...this.#slots.map(snapshotOfSlot), ...this.#serving.spare.children.map(snapshotOfSpare)],
      replication: snapshotOfReplication(replicator.monitor, replicator.renewedBytes),
      lastDrill: drills.last ?? null,
      failover: leading && failoverSnapshot(leading.contender),
      storage: {
        freeMb: freeMb(DATA_DIR),
        reserveMb: DISK_RESERVE_MB,
        readOnlyBecause: writer.readOnlyBecause ?? null,
      },
      listener: { waitingConnections: this.#listener.waitingCount },
      unnamedProxies: this.#proxies.all.map(({ address }) => address),
      events: events.newest(SNAPSHOT_EVENTS),
    };
  }

  /** Every child by name with its process id, in start order. */
  get pids(): Record<string, number> {
    return Object.fromEntries(
      this.#slots.flatMap(({ name, child }) => (child?.pid ? [[name, child.pid]] : [])),
    );
  }

  /**
   * Brings the whole tree up; `url` then tells where it listens.
   * @throws Failure the reason that it cannot start; everything started is then stopped
   */
  async start(): Promise<void> {
    const { deployment, sockets, events, leading } = this.#options;
    if (!leading) this.#notify.start();
    const addresses = addressesOf(deployment.config, sockets);
    if (!leading) await tryAddresses(addresses);
    await this.#startData();
    this.#listening = leading?.listening ?? (await listenAtAll(this.#listener, addresses));
    await this.#serve();
    const durationMs = Date.now() - this.#lifecycle.startedAtMs;
    events.record('serving', { cause: this.#listening.url, durationMs });
    // Not awaited: the system serves already, and `#served` reports its own failures.
    void this.#served();
  }

  /**
   * Starts only what a command needs that writes while nothing serves: the databases, Litestream and the writer.
   * @throws Failure the reason that it cannot start; `stop` is still to be called
   */
  async startWithoutServing(): Promise<void> {
    await this.#data.start();
  }

  /**
   * Stops every process in reverse order. Each acknowledged commit is shipped, if the replica can be reached.
   * @throws Failure stop_incomplete when processes are left at the deadline; they are killed
   */
  async stop(cause: string): Promise<void> {
    if (this.#lifecycle.isEnding) return;
    this.#lifecycle.move('stopping');
    const { log, events, deployment } = this.#options;
    events.record('stop', { cause });
    this.#board.announce();
    const timeoutMs = stopTimeoutMsOf(deployment.config);
    const living = () => this.#factory.living;
    await stopInTime(this.#stopInOrder(cause), { timeoutMs, living, log, clock: processClock });
    this.#lifecycle.move('stopped');
    log.debug('every child has ended');
  }

  async #stopInOrder(cause: string): Promise<void> {
    // The connections that the kernel has accepted by now go to workers in the rest of this turn. To close before that
    // would reset connections whose requests are under way.
    await nextTurn();
    this.#listener.close();
    await this.#stopChildren(cause);
    // Only here, and not when the system heals: no other system shall take the replica in between.
    await this.#data.lease.stop(cause, this.#data.lastCommits);
    this.#listener.abandon();
    await this.#notify.stop(cause);
  }

  /** @throws Failure usage: nobody else would take over */
  keep(): void {
    throw new Failure('usage', '--keep is for FAILOVER=lease: nobody takes over from this system');
  }

  /** As `FailoverSystem.handOver`. @throws Failure usage: there is nobody to hand over to */
  async handOver(): Promise<HandedOver> {
    throw new Failure('usage', 'handover is for FAILOVER=lease: nobody stands by for this system');
  }

  /** Ends the background processes until `go`. They finish first: they have to record what they have done outside. */
  async finishBackgrounds(): Promise<void> {
    this.#lifecycle.demandServing();
    await this.#serving.pauseBackgrounds('the lead is handed over');
  }

  /**
   * Holds requests and commits until `go` or `closeRequests`. A request that was under way and takes too long waits
   * with the writer.
   * @returns whether the replica has every commit
   */
  async hold(): Promise<boolean> {
    this.#lifecycle.demandServing();
    await this.#serving.holdRequests(UNDER_WAY_MS);
    return await this.#data.hold();
  }

  /** Ends `hold`: the waiting requests are answered, and commits and background processes go on. */
  go(): void {
    this.#data.writer.go();
    this.#serving.letRequests('answered');
    if (this.#lifecycle.isServing) this.#serving.resumeBackgrounds();
  }

  /**
   * Closes the connections of all unanswered and all new requests, so that their senders send them again; `/ready` is
   * 404. The socket stays open: where a service manager holds it, connections would wait for the next start.
   */
  closeRequests(): void {
    this.#listener.abandon();
    this.#serving.letRequests('closed');
    this.#board.announce();
  }

  /** As `Exchange.reload`. */
  async reload(request: ReloadRequest): Promise<ReloadOutcome> {
    await this.#data.lease.check();
    return this.#exchange.reload(request);
  }

  /** As `RollingReplacement.restart`. */
  async restart(target: string, cause: string): Promise<string[]> {
    return this.#replacement.restart(target, cause);
  }

  /**
   * Restores the replica and compares it with the databases, or waits for the drill that is under way.
   * @throws Failure not_ready when the system is not serving, or stops meanwhile
   */
  async verify(): Promise<DrillResult> {
    return this.#data.drills.run();
  }

  /**
   * Marks what a start has found as known to the operator: it is no longer in `degraded`.
   * @returns how many findings that were
   */
  acknowledge(): number {
    return this.#data.history.acknowledge();
  }

  /** Records which releases serve, and then finds out whether a rollback would work. */
  async #served(): Promise<void> {
    const { releases, settled } = this.#options;
    await releases.served(settled.writer, settled.workers);
    await this.#exchange.judgeRollback();
  }

  /** Starts the data tier. The writer and the workers, which come after it, load their code meanwhile. */
  async #startData(): Promise<void> {
    // A stop waits only for the processes that exist when it begins: none may be started after that.
    this.#lifecycle.demandNotEnding();
    const started = this.#data.start();
    this.#factory.prefork(PROCESSES.writer, {
      name: PROCESSES.writer.role,
      deployment: this.#data.running,
    });
    this.#serving.prefork();
    await started;
  }

  async #serve(): Promise<void> {
    this.#lifecycle.demandNotEnding();
    await this.#serving.start();
    this.#lifecycle.demandNotEnding();
    this.#lifecycle.move('serving');
    this.#data.drills.start();
    this.#board.announce();
  }

  async #stopChildren(cause: string, drainTimeoutMs?: number): Promise<void> {
    await Promise.all([this.#data.abort(cause), this.#factory.endPreforked(cause)]);
    await this.#serving.stop(cause, drainTimeoutMs);
    await this.#data.stop(cause);
  }

  #admit(child: Child): void {
    this.#board.tell(child);
    child.send({ kind: 'ops-secret', secret: this.#links.secret.toString('base64') });
    this.#listener.add(child);
  }
}
