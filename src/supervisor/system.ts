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

/** What a person sees at once; whoever wants more asks for them. */
const SNAPSHOT_EVENTS = 50;
/** What requests get to be answered that are under way when the lead is handed over. */
const UNDER_WAY_MS = 2000;

export interface SystemOptions {
  readonly releases: Releases;
  /** Which releases the start has chosen, and why. */
  readonly settled: Settled;
  /** What it is started from. */
  readonly deployment: Deployment;
  /** Of the writer: another one where an exchange was cut in half. */
  readonly writerDeployment: Deployment;
  /** Those that the service manager has opened; undefined without one. */
  readonly sockets?: ServiceSockets | undefined;
  readonly log: Logger;
  readonly events: Events;
  /** The replica is taken from whoever owns it. */
  readonly isTakeOver?: boolean;
  /** Of a system that was one of two: where its replica is. */
  readonly shared?: Shared | undefined;
  /** What a system has already that stood by. */
  readonly leading?: Leading | undefined;
  /** Called once when the system cannot go on. */
  readonly onFatal: (failure: Failure) => void;
}

/** What a system has that leads beside another that stands by. */
export interface Leading {
  readonly contender: ContenderPlace;
  readonly listener: Listener;
  readonly listening: Listening;
  /** It runs. */
  readonly notify: NotifyPlace;
  readonly links: OpsLinks;
  /** The databases were found whole a moment ago, when they were brought here. */
  readonly areChecked: boolean;
  /** What is here is of no use: the next start begins from what counts. */
  readonly abandon: () => void;
}

/** Who leads after it was handed over, and how long requests have waited for that. */
export interface HandedOver {
  readonly to: string;
  readonly durationMs: number;
  /** Why the other one does not serve; undefined when it does. */
  readonly problem?: string | undefined;
}

/** A link to the operator's page: `url#token`. */
export interface OpsLink {
  readonly url: string;
  /** Behind the `#`, which no browser sends. */
  readonly token: string;
}

/**
 * The tree of processes, started in order and stopped in reverse: the data tier, the port, the serving tier. Its
 * states are the lifecycle's. The port stays open from the first start to the stop, whatever dies behind it.
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
      onDamage: (reason) => this.#recovery.heal(reason),
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

  /** Where it listens; undefined until then. */
  get url(): string | undefined {
    return this.#listening?.url;
  }

  /** Where it listens for its operator: `unix:PATH`, or a URL; undefined until then. */
  get opsUrl(): string | undefined {
    return this.#listening?.opsUrl;
  }

  /**
   * @returns a new link to the operator's page, for one exchange
   * @throws Failure not_ready when it does not listen yet
   */
  opsLink(): OpsLink {
    this.#lifecycle.demandServing();
    if (!this.#listening) throw new Failure('not_ready', 'The system does not listen yet');
    return { url: pageUrlOf(this.#listening), token: this.#links.issue() };
  }

  /** What whoever starts it should know, as the writer says; undefined when there is nothing. */
  get notice(): string | undefined {
    return this.#data.writer.slot.child?.notice;
  }

  /** Everything that is known of the system now. Cheap enough to ask for several times a second. */
  snapshot(): SystemSnapshot {
    const { deployment, events, leading } = this.#options;
    const { config } = deployment;
    const { DATA_DIR, DISK_RESERVE_MB, replica } = config;
    const { replicator, writer, drills } = this.#data;
    // Once: a folder on a network may answer slowly, and the answer does not change.
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
    // Nobody waits for it; what could go wrong is what it tells.
    void this.#served();
  }

  /**
   * Brings up only what a command needs that writes while nothing serves: the databases, Litestream and the writer.
   * @throws Failure the reason that it cannot start; `stop` is still to be called
   */
  async startWithoutServing(): Promise<void> {
    await this.#data.start();
  }

  /**
   * Takes the tree down in reverse order: nothing that was acknowledged stays unshipped if the replica is there.
   * @throws Failure stop_incomplete when it has not ended at its deadline; what was left is killed
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
    // What the kernel has accepted by now is taken and handed over in the rest of this turn; a close before that
    // would reset connections whose requests are under way.
    await nextTurn();
    this.#listener.close();
    await this.#stopChildren(cause);
    // Kept while it is healed: nobody shall come in between.
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

  /** What works beside the requests ends, until `go`: what it has begun elsewhere it has still to write down. */
  async finishBackgrounds(): Promise<void> {
    this.#lifecycle.demandServing();
    await this.#serving.pauseBackgrounds('the lead is handed over');
  }

  /**
   * Requests wait from now on, and nothing is committed, until `go` or `closeRequests`. What takes longer to be answered that
   * came before waits with the writer.
   * @returns whether the replica has all that was committed
   */
  async hold(): Promise<boolean> {
    this.#lifecycle.demandServing();
    await this.#serving.holdRequests(UNDER_WAY_MS);
    return await this.#data.hold();
  }

  /** What waits is answered, and all goes on. */
  go(): void {
    this.#data.writer.go();
    this.#serving.letRequests('answered');
    if (this.#lifecycle.isServing) this.#serving.resumeBackgrounds();
  }

  /**
   * What is not answered yet is closed, and so is what comes, for whoever sent it to send it again; `/ready` is 404. The socket
   * stays open: where a service manager holds it, connections would wait for the next start.
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
   * Takes what a start has found for known: it is out of `degraded`.
   * @returns how many things that was
   */
  acknowledge(): number {
    return this.#data.history.acknowledge();
  }

  /** What runs is in the record, and then it can be told what ran before. */
  async #served(): Promise<void> {
    const { releases, settled } = this.#options;
    await releases.served(settled.writer, settled.workers);
    await this.#exchange.judgeRollback();
  }

  /** What serves loads meanwhile, a moment after what has to be there first. */
  async #startData(): Promise<void> {
    // A stop waits for what there is when it comes, and for nothing that is brought up after it.
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
