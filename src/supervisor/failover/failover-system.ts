import type { SystemStatus, Trouble } from '../../messages/messages.ts';
import type { SystemEventKind, SystemSnapshot } from '../../messages/snapshot.ts';
import { Failure } from '../../platform/errors.ts';
import { version } from '../../platform/version.ts';
import { epochFolder } from '../../replication/failover/epoch.ts';
import { removeNote } from '../../replication/failover/note.ts';
import { type Listening, pageUrlOf } from '../addresses.ts';
import { processClock } from '../clock.ts';
import { NotifyPlace } from '../notify-place.ts';
import { OpsLinks } from '../ops-links.ts';
import { ProcessFactory } from '../process-factory.ts';
import type { ReloadRequest } from '../release/exchange.ts';
import type { Slot } from '../slot.ts';
import { freeMb, SNAPSHOT_EVENTS, snapshotOfPrimary, snapshotOfSlot } from '../snapshot.ts';
import { stopInTime, stopTimeoutMsOf } from '../stop-deadline.ts';
import { type HandedOver, System, type SystemOptions } from '../system.ts';
import { Telemetry } from '../telemetry.ts';
import { ContenderPlace } from './contender-place.ts';
import { EpochCleaner } from './epoch-cleaner.ts';
import { Handover } from './handover.ts';
import { StandbyPlace } from './standby-place.ts';
import { StandbyProof } from './standby-proof.ts';
import { deploymentIn, forgetEpochWithoutDatabases, Takeover } from './takeover.ts';

export interface FailoverOptions extends SystemOptions {
  /** Called when the port is open, and before it is known who leads. */
  readonly onStandby: () => void;
  /** The folder of the replica to go on from, where the replica has no record. */
  readonly takeOver?: string | undefined;
}

/** What the command `start` needs of a system. */
export type StartedSystem = Pick<
  System,
  | 'start'
  | 'stop'
  | 'snapshot'
  | 'reload'
  | 'restart'
  | 'opsLink'
  | 'verify'
  | 'acknowledge'
  | 'keep'
  | 'handOver'
  | 'pids'
  | 'url'
  | 'opsUrl'
  | 'notice'
>;

/**
 * A system beside another one. States and who moves them: standby (`start`: its contender runs, and one process answers
 * that it stands by) → taking over (it holds the record: the databases come from the folder that it names) → leading (a
 * `System` of its own, whose replica is the folder of its epoch) → stopped (`stop`). A system that was fenced, or could
 * not take over, ends: its next start begins as a standby.
 */
export class FailoverSystem implements StartedSystem {
  readonly #options: FailoverOptions;
  readonly #contender: ContenderPlace;
  readonly #standby: StandbyPlace;
  readonly #takeover: Takeover;
  readonly #notify: NotifyPlace;
  readonly #links = new OpsLinks();
  readonly #proof: StandbyProof;
  readonly #handover: Handover;
  /** The last event about who leads, so that none is recorded twice. */
  #recorded = '';
  #isServing = false;
  readonly #factory: ProcessFactory;
  readonly #startedAtMs = Date.now();
  #listening: Listening | undefined;
  #system: System | undefined;
  #isStopping = false;
  readonly #cleaner: EpochCleaner;

  constructor(options: FailoverOptions) {
    const { deployment, log, events, releases } = options;
    this.#options = options;
    const telemetry = new Telemetry({
      events,
      snapshot: () => this.snapshot(),
      lagMs: () => 0,
      redeem: (id) => this.#links.redeem(id),
    });
    this.#factory = new ProcessFactory({
      log,
      events,
      telemetry,
      onChange: () => this.#standby?.tell(),
      check: (release) => releases.check(release),
      onDamage: () => {},
    });
    this.#contender = new ContenderPlace(deployment, this.#factory, () => this.#changed(), options.takeOver);
    this.#standby = new StandbyPlace(options, this.#factory, {
      status: () => this.#status,
      secret: this.#links.secret.toString('base64'),
    });
    this.#takeover = new Takeover(this.#factory, events, log);
    this.#notify = new NotifyPlace({
      deployment,
      factory: this.#factory,
      onReport: () => this.#changed(),
    });
    this.#proof = new StandbyProof({
      deployment,
      factory: this.#factory,
      contender: this.#contender,
      events,
      log,
      onChange: () => this.#changed(),
    });
    this.#handover = new Handover({
      contender: this.#contender,
      leaseTtlMs: deployment.config.LEASE_TTL_MS,
      events,
      log,
    });
    const { config, secrets } = deployment;
    this.#cleaner = new EpochCleaner({
      config,
      env: { ...process.env, ...secrets },
      data: () => this.#contender.countingFolder,
      log,
    });
  }

  get url(): string | undefined {
    return this.#listening?.url;
  }

  get opsUrl(): string | undefined {
    return this.#listening?.opsUrl;
  }

  get notice(): string | undefined {
    return this.#system?.notice;
  }

  get pids(): Record<string, number> {
    if (this.#system) return this.#system.pids;
    return Object.fromEntries(
      this.#slots.flatMap(({ name, child }) => (child?.pid ? [[name, child.pid]] : [])),
    );
  }

  /**
   * Stands by until it is to lead, and resolves when it serves.
   * @throws Failure why it cannot stand by, or cannot take over
   */
  async start(): Promise<void> {
    const { deployment, writerDeployment, onStandby, events, onFatal } = this.#options;
    forgetEpochWithoutDatabases(deployment);
    this.#notify.start();
    const [listening] = await Promise.all([this.#standby.start(), this.#contender.contend()]);
    this.#listening = listening;
    onStandby();
    const { state, epoch = 0, data = '', holder: from } = await this.#contender.leads();
    const startMs = performance.now();
    await this.#proof.stop('this system leads');
    const folder = epochFolder(epoch);
    events.record('leads', {
      cause: `this system leads from now on, in ${folder}, from ${data || 'the replica itself'}`,
    });
    if (state === 'restoring') {
      await this.#takeover.bring(deployment, data, folder, () => this.#contender.demand());
      this.#contender.demand();
      this.#contender.restored();
    }
    this.#demandRunning();
    const own = deploymentIn(deployment, folder);
    const ofWriter = {
      ...writerDeployment,
      config: { ...writerDeployment.config, replica: own.config.replica },
    };
    this.#system = new System({
      ...this.#options,
      deployment: own,
      writerDeployment: writerDeployment === deployment ? own : ofWriter,
      leading: {
        contender: this.#contender,
        listener: this.#standby.listener,
        listening,
        notify: this.#notify,
        links: this.#links,
        areChecked: state === 'restoring',
        abandon: () => removeNote(deployment.config.DATA_DIR),
      },
      onFatal,
    });
    await this.#system.start();
    await this.#standby.stop('this system leads');
    await this.#proof.removeMirror();
    const durationMs = Math.round(performance.now() - startMs);
    this.#isServing = true;
    this.#contender.serving();
    this.#cleaner.start();
    events.record('leads', { cause: `serves in ${folder}`, durationMs });
    if (state === 'restoring' && from !== undefined)
      events.record('took-over', { cause: `took over from ${from}, and serves in ${folder}`, durationMs });
  }

  async stop(cause: string): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const { log, events, deployment } = this.#options;
    this.#takeover.abort(cause);
    this.#cleaner.stop();
    // Otherwise the stop would wait for requests that wait for the other system.
    if (this.#handover.isUnderWay) this.#system?.closeRequests();
    const stopStandby = Promise.all([this.#standby.stop(cause), this.#proof.stop(cause)]);
    try {
      if (this.#system) await this.#system.stop(cause);
      else events.record('stop', { cause });
    } finally {
      this.#standby.listener.close();
      this.#standby.listener.abandon();
      await stopInTime(
        Promise.all([stopStandby, this.#contender.stop(cause)]).then(() => this.#notify.stop(cause)),
        {
          timeoutMs: stopTimeoutMsOf(deployment.config),
          living: () => this.#factory.living,
          log,
          clock: processClock,
        },
      );
    }
  }

  snapshot(): SystemSnapshot {
    if (this.#system) return this.#system.snapshot();
    const { deployment, writerDeployment, settled, events } = this.#options;
    const { DATA_DIR, DISK_RESERVE_MB, replica } = deployment.config;
    const { version: ofWorkers, hash } = deployment.release;
    const release = { version: ofWorkers, hash };
    return {
      atMs: Date.now(),
      version,
      nodeVersion: process.versions.node,
      state: this.#isStopping ? 'stopping' : this.#contender.isHeld ? 'starting' : 'standby',
      stateSinceAtMs: this.#startedAtMs,
      startedAtMs: this.#startedAtMs,
      url: this.#listening?.url ?? null,
      ops: this.#listening?.opsUrl ?? null,
      dataDir: DATA_DIR,
      replica: { url: replica.url, isOnSameDisk: false },
      releases: {
        primary: release,
        writer: { version: writerDeployment.release.version, hash: writerDeployment.release.hash },
        workers: release,
        previous: null,
        rollbackProblem: 'this system stands by: start it with the release that it is to run',
        because: settled.because ?? null,
      },
      status: this.#status,
      primary: snapshotOfPrimary(),
      children: this.#slots.map(snapshotOfSlot),
      replication: { state: 'streaming', lagMs: 0, trouble: null, databases: {}, renewedBytes: 0 },
      lastDrill: this.#proof.lastDrill ?? null,
      failover: this.#proof.failoverSnapshot,
      storage: { freeMb: freeMb(DATA_DIR), reserveMb: DISK_RESERVE_MB, readOnlyBecause: null },
      listener: { waitingConnections: this.#standby.listener.waitingCount },
      unnamedProxies: [],
      events: events.newest(SNAPSHOT_EVENTS),
    };
  }

  /**
   * Has the other system lead, without a failed request.
   * @throws Failure as `Handover.run`, and standby where this system does not lead
   */
  async handOver(): Promise<HandedOver> {
    return this.#handover.run(this.#leading);
  }

  async reload(request: ReloadRequest): ReturnType<System['reload']> {
    if (!this.#system)
      throw new Failure(
        'standby',
        'This system stands by, and serves nobody: restart it with the other release.',
      );
    return this.#handover.exchange(
      () => this.#leading,
      (system) => system.reload(request),
    );
  }

  async restart(target: string, cause: string): Promise<string[]> {
    return this.#handover.exchange(
      () => this.#leading,
      (system) => system.restart(target, cause),
    );
  }

  opsLink(): ReturnType<System['opsLink']> {
    if (this.#system) return this.#system.opsLink();
    if (!this.#listening) throw new Failure('not_ready', 'The system does not listen yet');
    return { url: pageUrlOf(this.#listening), token: this.#links.issue() };
  }

  async verify(): ReturnType<System['verify']> {
    return this.#system ? this.#system.verify() : this.#proof.run();
  }

  acknowledge(): number {
    return this.#leading.acknowledge();
  }

  /** Keeps the record when this system is stopped: it leads again when it is started in time. */
  keep(): void {
    this.#contender.keep();
  }

  get #leading(): System {
    if (this.#system) return this.#system;
    const { holder } = this.#contender.leadership;
    throw new Failure(
      'standby',
      holder === undefined
        ? 'This system stands by, and it is not known yet who leads'
        : `This system stands by, and ${holder} leads: ask that one`,
    );
  }

  get #status(): SystemStatus {
    const { state, holder, reason, heldBackBecause } = this.#contender.leadership;
    const { failure, isHeld, peerTroubles } = this.#contender;
    const other = holder === undefined ? 'it is not known yet who leads' : `${holder} leads`;
    const leader = isHeld ? 'this system takes over' : other;
    const notReady: Trouble[] = [{ name: 'standby', reason: failure?.message ?? `${leader} (${state})` }];
    const degraded: Trouble[] = reason === undefined ? [] : [{ name: 'replica', reason }];
    if (heldBackBecause !== undefined)
      degraded.push({ name: 'standby', reason: `this system would not take over: ${heldBackBecause}` });
    degraded.push(...peerTroubles, ...this.#proof.troubles);
    return { ready: false, notReady, degraded, drill: this.#proof.drillStatus };
  }

  /** In start order. */
  get #slots(): readonly Slot[] {
    return [...this.#notify.slots, this.#contender.slot, this.#standby.slot, ...this.#proof.slots];
  }

  #changed(): void {
    this.#standby.tell();
    this.#record();
    this.#proof.follow();
  }

  /** Records an event when the role of this system beside the other one has changed. */
  #record(): void {
    const { events } = this.#options;
    const { state, holder, epoch } = this.#contender.leadership;
    const { failure, suspendedBecause } = this.#contender;
    const [kind, cause] = ((): [SystemEventKind, string] | [] => {
      if (state === 'standby' && holder !== undefined) return ['standby', `${holder} leads`];
      if (state === 'fenced') return ['fenced', failure?.message ?? ''];
      if (state === 'demoted') return ['demoted', 'the lead was given away: another system need not wait'];
      if (!this.#isServing) return [];
      if (suspendedBecause !== undefined) return ['suspended', suspendedBecause];
      return this.#recorded.startsWith('suspended') ? ['resumed', `it leads on in epoch ${epoch}`] : [];
    })();
    // The reason of a silent store may be worded in many ways: one event is enough.
    const text = kind === 'suspended' ? kind : `${kind} ${cause}`;
    if (kind === undefined || cause === undefined || text === this.#recorded) return;
    this.#recorded = text;
    events.record(kind, { cause });
  }

  #demandRunning(): void {
    if (this.#isStopping) throw new Failure('not_ready', 'Stopped while taking over');
  }
}
