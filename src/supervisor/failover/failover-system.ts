import { setTimeout as delay } from 'node:timers/promises';
import type { DrillResult } from '../../messages/drill-result.ts';
import type { SystemStatus, Trouble } from '../../messages/messages.ts';
import type { SystemEventKind, SystemSnapshot } from '../../messages/snapshot.ts';
import { Failure } from '../../platform/errors.ts';
import { version } from '../../platform/version.ts';
import { rehearsedDir } from '../../replication/drill/record.ts';
import { epochFolder } from '../../replication/failover/epoch.ts';
import { removeNote } from '../../replication/failover/note.ts';
import { type Listening, pageUrlOf } from '../addresses.ts';
import type { Child } from '../child.ts';
import { processClock } from '../clock.ts';
import { Drills } from '../drills.ts';
import { NotifyPlace } from '../notify-place.ts';
import { OpsLinks } from '../ops-links.ts';
import { ProcessFactory } from '../process-factory.ts';
import { PROCESSES } from '../processes.ts';
import type { ReloadRequest } from '../release/exchange.ts';
import { standBy } from '../release/trial.ts';
import type { Slot } from '../slot.ts';
import { freeMb, snapshotOfPrimary, snapshotOfSlot } from '../snapshot.ts';
import { stopInTime, stopTimeoutMsOf } from '../stop-deadline.ts';
import { type HandedOver, System, type SystemOptions } from '../system.ts';
import { Telemetry } from '../telemetry.ts';
import { ContenderPlace } from './contender-place.ts';
import { EpochCleaner } from './epoch-cleaner.ts';
import { failoverSnapshot } from './failover-snapshot.ts';
import { MirrorPlace } from './mirror-place.ts';
import { StandbyPlace } from './standby-place.ts';
import { deploymentIn, forgetEpochWithoutDatabases, Takeover } from './takeover.ts';

const SNAPSHOT_EVENTS = 50;
const SERVED_MAX_MS = 60_000;
const PEER_LOOK_MS = 200;
/** A proxy asks /ready each second (config/haproxy.cfg), and then sends to the other one what is closed here. */
const PROXY_LOOK_MS = 1500;
/** It sends nothing here any more when it has looked twice in vain. Before that each connection is closed as it comes. */
const PROXY_LEAVE_MS = 3000;

export interface FailoverOptions extends SystemOptions {
  /** The port is open, and who leads is found out. */
  readonly onStandby: () => void;
  /** The folder of the replica to go on from, where that has no record. */
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
 * that it stands by) → taking over (the record is its own: the databases come from the folder that it names) → leading (a
 * `System` of its own, whose replica is the folder of its epoch) → stopped (`stop`). Who was fenced, or could not take over,
 * is over: another start begins as a standby.
 */
export class FailoverSystem implements StartedSystem {
  readonly #options: FailoverOptions;
  readonly #contender: ContenderPlace;
  readonly #standby: StandbyPlace;
  readonly #takeover: Takeover;
  readonly #notify: NotifyPlace;
  readonly #links = new OpsLinks();
  readonly #mirror: MirrorPlace;
  readonly #drills: Drills;
  /** This code's migrations were tried, or begun to be, since its start. */
  #isTried = false;
  /** What was recorded last of who leads. */
  #recorded = '';
  #isServing = false;
  readonly #factory: ProcessFactory;
  readonly #startedAtMs = Date.now();
  #listening: Listening | undefined;
  #system: System | undefined;
  #isStopping = false;
  #isHandingOver = false;
  /** Reloads and restarts that are under way. */
  #exchanges = 0;
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
    this.#mirror = new MirrorPlace(deployment, this.#factory, () => this.#prove());
    this.#drills = new Drills({
      dataDir: deployment.config.DATA_DIR,
      record: 'standby-drill',
      intervalMs: deployment.config.DRILL_INTERVAL_MS,
      spawn: () => this.#spawnDrill(),
      inspect: (result, signal) => this.#tryServing(result, signal),
      log,
      onChange: () => this.#changed(),
      onResult: (result) => this.#drilled(result),
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
    await this.#endStandby('this system leads');
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
    await this.#mirror.remove();
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
    // What waits for the other one would be waited for.
    if (this.#isHandingOver) this.#system?.closeRequests();
    const stopStandby = Promise.all([this.#standby.stop(cause), this.#endStandby(cause)]);
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
      lastDrill: this.#drills.last ?? null,
      failover: failoverSnapshot(this.#contender, this.#mirror, this.#drills.last),
      storage: { freeMb: freeMb(DATA_DIR), reserveMb: DISK_RESERVE_MB, readOnlyBecause: null },
      listener: { waitingConnections: this.#standby.listener.waitingCount },
      unnamedProxies: [],
      events: events.newest(SNAPSHOT_EVENTS),
    };
  }

  /**
   * Has the other system lead: requests wait here until that one serves, and are closed unanswered then, so that a proxy sends
   * them again, to that one. This system is over then; where the other one does not take it, it leads on.
   * @throws Failure usage, not_ready: why nothing was changed, or the other one has not taken it
   */
  async handOver(): Promise<HandedOver> {
    const system = this.#leading;
    if (this.#isHandingOver) throw new Failure('not_ready', 'A handover is under way');
    // Its writer may just now migrate, or be exchanged.
    if (this.#exchanges > 0)
      throw new Failure('not_ready', 'A reload or a restart is under way: hand over when it is done');
    this.#isHandingOver = true;
    try {
      const { name } = await this.#contender.successor();
      const startMs = await this.#give(system, name);
      const problem = await this.#served(name);
      system.closeRequests();
      const durationMs = Math.round(performance.now() - startMs);
      this.#options.events.record('handover', { cause: problem ?? `${name} leads`, durationMs });
      await delay(PROXY_LEAVE_MS);
      return { to: name, durationMs, problem };
    } finally {
      this.#isHandingOver = false;
    }
  }

  /**
   * @returns since when requests wait; monotonic
   * @throws Failure not_ready when it is not taken; this system goes on then
   */
  async #give(system: System, to: string): Promise<number> {
    let isTaken = false;
    let problem = 'the replica did not have all in time';
    let heldMs = 0;
    try {
      await system.finishBackgrounds();
      heldMs = performance.now();
      this.#contender.isHandingOver = true;
      if (await system.hold()) {
        problem = `${to} did not take the lead in time`;
        isTaken = await this.#contender.offer();
      }
    } finally {
      if (!isTaken) {
        this.#contender.isHandingOver = false;
        system.go();
      }
    }
    if (!isTaken) {
      const suspended = this.#contender.suspendedBecause;
      throw new Failure('not_ready', `Not handed over: ${problem}. ${suspended ?? 'This system leads on'}.`);
    }
    return heldMs;
  }

  /**
   * Resolves when the other one serves, and whoever looks each second has seen it; or when that takes too long, or it is gone:
   * this system stands by for it then.
   * @returns why it does not serve, as far as is known; undefined when it does
   */
  async #served(name: string): Promise<string | undefined> {
    const { deployment, log } = this.#options;
    const startMs = performance.now();
    let heardMs = startMs;
    let silence: string | undefined;
    do {
      const peer = await this.#contender.askPeer().catch(({ message }: Error) => {
        silence = message;
      });
      if (peer?.isServing) {
        await delay(PROXY_LOOK_MS);
        return undefined;
      }
      if (peer) {
        heardMs = performance.now();
        silence = undefined;
      }
      await delay(PEER_LOOK_MS);
    } while (performance.now() < Math.min(startMs + SERVED_MAX_MS, heardMs + deployment.config.LEASE_TTL_MS));
    const problem = `${name} has taken the lead, and does not serve${silence === undefined ? '' : `. ${silence}`}`;
    log.error(problem);
    return problem;
  }

  async reload(request: ReloadRequest): ReturnType<System['reload']> {
    if (!this.#system)
      throw new Failure(
        'standby',
        'This system stands by, and serves nobody: restart it with the other release.',
      );
    return this.#exchange((system) => system.reload(request));
  }

  async restart(target: string, cause: string): Promise<string[]> {
    return this.#exchange((system) => system.restart(target, cause));
  }

  async #exchange<Result>(run: (system: System) => Promise<Result>): Promise<Result> {
    if (this.#isHandingOver) throw new Failure('not_ready', 'The lead is being handed over');
    const system = this.#leading;
    this.#exchanges += 1;
    try {
      return await run(system);
    } finally {
      this.#exchanges -= 1;
    }
  }

  opsLink(): ReturnType<System['opsLink']> {
    if (this.#system) return this.#system.opsLink();
    if (!this.#listening) throw new Failure('not_ready', 'The system does not listen yet');
    return { url: pageUrlOf(this.#listening), token: this.#links.issue() };
  }

  async verify(): ReturnType<System['verify']> {
    return this.#system ? this.#system.verify() : this.#drills.run();
  }

  acknowledge(): number {
    return this.#leading.acknowledge();
  }

  /** The record is not given away when this system is stopped: it leads again when it is back in time. */
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
    degraded.push(...peerTroubles);
    if (this.#mirror.trouble) degraded.push({ name: 'mirror', reason: this.#mirror.trouble });
    if (this.#drills.trouble) degraded.push({ name: 'drill', reason: this.#drills.trouble });
    return { ready: false, notReady, degraded, drill: this.#drills.status };
  }

  /** In the order that they start in. */
  get #slots(): readonly Slot[] {
    const mirrors = this.#mirror.isStarted ? [this.#mirror.slot] : [];
    return [...this.#notify.slots, this.#contender.slot, this.#standby.slot, ...mirrors];
  }

  #changed(): void {
    this.#standby.tell();
    this.#record();
    const { state, held } = this.#contender.leadership;
    if (state !== 'standby' || held === undefined) return;
    this.#mirror.follow(held);
    if (!this.#mirror.isWanted) this.#prove();
  }

  /** What has become of this system beside the other one. */
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
    // Why the store is silent may be said in many ways.
    const text = kind === 'suspended' ? kind : `${kind} ${cause}`;
    if (kind === undefined || cause === undefined || text === this.#recorded) return;
    this.#recorded = text;
    events.record(kind, { cause });
  }

  /** What a takeover would restore can be drilled from now on. New migrations are tried at once. */
  #prove(): void {
    const { state, isToTry } = this.#contender.leadership;
    if (state !== 'standby' || this.#isStopping) return;
    this.#drills.start();
    if (!isToTry || this.#isTried) return;
    this.#isTried = true;
    this.#drills.run().catch(() => {});
  }

  #spawnDrill(): Child {
    const { deployment } = this.#options;
    const { data = '', confirmed = {} } = this.#contender.leadership.held ?? {};
    const { litestream, databases, litestreamConfigPath } = deploymentIn(deployment, data);
    const last = this.#drills.last?.databases ?? {};
    const sizesBytes = Object.fromEntries(
      Object.entries(last).map(([name, { restoredBytes }]) => [name, restoredBytes]),
    );
    const input = { litestream, litestreamConfigPath, databases, sizesBytes, confirmed };
    const { role: name } = PROCESSES.standbyDrill;
    return this.#factory.child(PROCESSES.standbyDrill, { name, deployment, input });
  }

  /** What serves is tried as a reload tries it, where this code has migrated the copy: the drill has tried the writer alone. */
  async #tryServing(result: DrillResult, signal: AbortSignal): Promise<DrillResult> {
    const { ok, takeover } = result;
    const isMigrated = ok && takeover && takeover.refusal === undefined && takeover.untried === undefined;
    if (!isMigrated || !this.#contender.leadership.isToTry) return result;
    const { deployment } = this.#options;
    const folder = rehearsedDir(deployment.config.DATA_DIR);
    try {
      await standBy(this.#factory, deployment, { folder, who: 'this release', signal });
      return result;
    } catch (error) {
      const { code, message } = error as Failure;
      // Its process died, was killed, or found no room: that proves nothing, and the next drill tries again.
      const isPassing = code === 'child_failed' || code === 'not_ready';
      const found = isPassing ? { untried: message } : { refusal: message };
      return { ...result, takeover: { ...takeover, ...found } };
    }
  }

  #drilled({ ok, reason, restoredBytes, takeover }: DrillResult): void {
    const { refusal } = takeover ?? {};
    const untried = takeover?.untried ?? (ok ? undefined : reason);
    this.#contender.rehearsed({ refusal, untried, restoredBytes });
    if (!ok) this.#options.events.record('drill-failed', { cause: reason ?? 'no reason told' });
  }

  /** Ends what only a standby does: it reads what a takeover restores. */
  async #endStandby(cause: string): Promise<void> {
    await Promise.all([this.#drills.stop(cause), this.#mirror.stop(cause)]);
  }

  #demandRunning(): void {
    if (this.#isStopping) throw new Failure('not_ready', 'Stopped while taking over');
  }
}
