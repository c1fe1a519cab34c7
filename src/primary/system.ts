import { spawn } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Background, BackgroundInput } from '../child/background.ts';
import type { SystemStatus } from '../child/messages.ts';
import type { SystemSnapshot, SystemState } from '../child/snapshot.ts';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { LitestreamBinary } from '../replication/binary.ts';
import type { Confirmation } from '../replication/confirmation.ts';
import { confirmerFor } from '../replication/confirmer-for.ts';
import type { DrillResult } from '../replication/drill/result.ts';
import { LogRelay, litestreamEnv, replicateCommand } from '../replication/litestream.ts';
import { ReplicationMonitor } from '../replication/monitor.ts';
import { INSTRUCTIONS } from '../replication/prepare-advice.ts';
import { isSameDisk } from '../replication/same-disk.ts';
import { StoreProbe } from '../replication/store-probe.ts';
import { pickSecrets, REPLICA_SECRETS, type Secrets } from '../secrets.ts';
import { version } from '../version.ts';
import { Child } from './child.ts';
import { Drills } from './drills.ts';
import type { Events } from './events.ts';
import { DATA_DIR_VARIABLE, fork } from './fork.ts';
import { Listener } from './listener.ts';
import { Recycler } from './recycler.ts';
import { RestartPolicy } from './restart-policy.ts';
import { finalFailure, firstOutcome, quiesced, Slot, type SlotOptions } from './slot.ts';
import {
  freeMb,
  roleOf,
  snapshotOfPrimary,
  snapshotOfReplication,
  snapshotOfSlot,
  snapshotOfSpare,
} from './snapshot.ts';
import { Spare } from './spare.ts';
import { Telemetry } from './telemetry.ts';

const STABLE_MS = 500;
/** While a database is damaged, most requests fail anyway. */
const HEAL_DRAIN_MS = 1000;
const HEAL_INTERVAL_MIN_MS = 10 * 60_000;
/** How often the writer reports its lag: so much older than it is may a commit seem. */
const LAG_REPORT_MS = 500;
/** The watchdog in the child acts first and knows the stack; this is for a child that stands still as a whole. */
const SILENCE_GRACE_MS = 2500;
/** What the writer gets to decide its last writes. */
const WRITER_DRAIN_MS = 5000;

/** What a person sees at once; whoever wants more asks for them. */
const SNAPSHOT_EVENTS = 50;

const WRITER_ENTRY = new URL('../writer/main.ts', import.meta.url);
const WORKER_ENTRY = new URL('../worker/main.ts', import.meta.url);
const PREPARE_ENTRY = new URL('../replication/prepare-main.ts', import.meta.url);
const DRILL_ENTRY = new URL('../replication/drill/main.ts', import.meta.url);

export interface SystemOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
  readonly backgrounds: readonly Background[];
  /** Of a socket that the service manager has opened; undefined without one. */
  readonly listenFd?: number | undefined;
  readonly log: Logger;
  readonly events: Events;
  /** Called once when the system cannot go on. */
  readonly onFatal: (failure: Failure) => void;
}

/**
 * The tree of processes: started in order, stopped in reverse. States and who moves them:
 * starting → serving (`start` has seen every child ready) → stopping (`stop`) → stopped. A failed start stops too.
 * serving → healing (a child found a database damaged) → serving, with the port open all along.
 */
export class System {
  readonly #options: SystemOptions;
  readonly #listener: Listener;
  readonly #litestream: Slot;
  readonly #writer: Slot;
  readonly #workers: readonly Slot[];
  readonly #backgrounds: readonly Slot[];
  readonly #spare: Spare;
  readonly #recycler: Recycler;
  readonly #replication: ReplicationMonitor;
  readonly #storeProbe: StoreProbe;
  readonly #drills: Drills;
  readonly #telemetry: Telemetry;
  /** The last confirmation of each database, for a writer that starts later. */
  readonly #confirmations = new Map<string, Confirmation>();
  /** The exchange of a child that is under way, if any; the next one waits for it. */
  #exchanging: Promise<unknown> = Promise.resolve();
  #preparing: Child | undefined;
  /** It has told its last commit, and makes no more. */
  #isWriterDrained = false;
  /** Why the writer refuses writes; undefined when it does not. */
  #readOnlyBecause: string | undefined;
  #state: SystemState = 'starting';
  #stateSinceAtMs = Date.now();
  readonly #startedAtMs = Date.now();
  #url: string | undefined;
  #isReplicaOnSameDisk: boolean | undefined;
  #reloading = false;
  #healedAtMs = Number.NEGATIVE_INFINITY;
  #statusScheduled = false;
  #lastStatus = '';

  constructor(options: SystemOptions) {
    const { config, log, events } = options;
    this.#options = options;
    this.#listener = new Listener(config.CONNECTION_QUEUE_MAX, log);
    this.#telemetry = new Telemetry({
      events,
      snapshot: () => this.snapshot(),
      lagMs: () => this.#replication.lagMs,
    });
    this.#recycler = new Recycler({
      limits: { memoryMb: config.MEMORY_LIMIT_MB, requests: config.MAX_REQUESTS, ageMs: config.MAX_AGE_MS },
      replace: (slot, cause) => this.#exchange(() => slot.replace(config.DRAIN_TIMEOUT_MS, cause)),
      isServing: () => this.#state === 'serving',
      random: Math.random,
      log,
    });
    this.#replication = new ReplicationMonitor({
      lagNormalMs: 2 * config.REPLICA_SYNC_INTERVAL_MS + LAG_REPORT_MS,
      stallTimeoutMs: config.REPLICA_STALL_TIMEOUT_MS,
      now: () => performance.now(),
      log,
      onStall: (cause) => {
        events.record('stall', { child: 'litestream', pid: this.#litestream.child?.pid, cause });
        this.#litestream.child?.fault(cause);
      },
      onChange: () => {
        const { state, trouble } = this.#replication;
        events.record('replication', { cause: trouble ?? state });
        this.#storeProbe.wake();
        this.#scheduleAnnounce();
      },
    });
    this.#storeProbe = new StoreProbe({
      config,
      isAlert: () => this.#replication.state !== 'streaming',
      onResult: (silence) => this.#replication.probed(silence),
    });
    this.#drills = new Drills({
      dataDir: config.DATA_DIR,
      intervalMs: config.DRILL_INTERVAL_MS,
      // It stands still for as long as SQLite takes.
      spawn: () => this.#forkWithReplica('drill', DRILL_ENTRY, {}, 0),
      confirmations: () => this.#confirmations.values(),
      log,
      onChange: () => this.#scheduleAnnounce(),
      onResult: ({ ok, reason }) => {
        if (!ok) events.record('drill-failed', { cause: reason ?? 'no reason told' });
      },
    });
    this.#litestream = this.#slot('litestream', 'gap', () => this.#spawnLitestream());
    this.#writer = this.#slot('writer', 'standby', (standby) =>
      this.#forkChild('writer', WRITER_ENTRY, { standby }),
    );
    this.#writer.on('child', (child) => this.#informWriter(child));
    this.#spare = new Spare({
      spawn: () => this.#forkChild('worker-spare', WORKER_ENTRY, { standby: true }),
      isPlaceStarting: () => this.#workers.some(({ childState }) => childState === 'starting'),
      log,
    });
    this.#workers = Array.from({ length: config.WORKERS }, (_, index) => {
      const name = `worker-${index + 1}`;
      const slot = this.#slot(
        name,
        'overlap',
        () => this.#spare.take(name) ?? this.#forkChild(name, WORKER_ENTRY, { standby: false }),
      );
      slot.on('child', (child) => child.once('ready', () => this.#admit(child)));
      slot.on('change', () => {
        this.#checkHopeless();
        this.#spare.placeChanged();
      });
      this.#recycler.watch(slot);
      return slot;
    });
    this.#backgrounds = options.backgrounds.map(({ name, entry, secrets }) => {
      const slot = this.#slot(name, 'overlap', () => {
        const input: BackgroundInput = { url: this.#url ?? '' };
        return this.#forkChild(name, entry, input, { ...pickSecrets(options.secrets, secrets) });
      });
      // Beside its state, which the slot tells of.
      slot.on('child', (child) => child.on('message', () => this.#scheduleAnnounce()));
      return slot;
    });
  }

  /** In start order. */
  get #slots(): readonly Slot[] {
    return [this.#litestream, this.#writer, ...this.#workers, ...this.#backgrounds];
  }

  /** Where it listens; undefined until then. */
  get url(): string | undefined {
    return this.#url;
  }

  /** Everything that is known of the system now. Cheap enough to ask for several times a second. */
  snapshot(): SystemSnapshot {
    const { config, events } = this.#options;
    const { DATA_DIR, DISK_RESERVE_MB, replica } = config;
    const spare = this.#spare.child;
    // Once: a folder on a network may answer slowly, and the answer does not change.
    this.#isReplicaOnSameDisk ??= isSameDisk(DATA_DIR, replica);
    return {
      atMs: Date.now(),
      version,
      nodeVersion: process.versions.node,
      state: this.#state,
      stateSinceAtMs: this.#stateSinceAtMs,
      startedAtMs: this.#startedAtMs,
      url: this.#url ?? null,
      dataDir: DATA_DIR,
      replica: { url: replica.url, isOnSameDisk: this.#isReplicaOnSameDisk },
      status: this.#status(),
      primary: snapshotOfPrimary(),
      children: [...this.#slots.map(snapshotOfSlot), ...(spare ? [snapshotOfSpare(spare)] : [])],
      replication: snapshotOfReplication(this.#replication),
      lastDrill: this.#drills.last ?? null,
      storage: {
        freeMb: freeMb(DATA_DIR),
        reserveMb: DISK_RESERVE_MB,
        readOnlyBecause: this.#readOnlyBecause ?? null,
      },
      listener: { waitingConnections: this.#listener.waitingCount },
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
    const { config, listenFd } = this.#options;
    await this.#startData();
    const { HOST, PORT } = config;
    const { address, port } = await this.#listener.listen(HOST, PORT, listenFd);
    this.#url = urlOf(listenFd === undefined ? HOST : address, port);
    await this.#startWorkers();
    this.#move('serving');
    this.#options.events.record('serving', { cause: this.#url, durationMs: Date.now() - this.#startedAtMs });
    this.#drills.start();
    this.#announce();
  }

  /**
   * Brings up only what a command needs that writes while nothing serves: the databases, Litestream and the writer.
   * @throws Failure the reason that it cannot start; `stop` is still to be called
   */
  async startWithoutServing(): Promise<void> {
    await this.#startData();
  }

  /** Takes the tree down in reverse order: nothing that was acknowledged stays unshipped if the replica is there. */
  async stop(cause: string): Promise<void> {
    if (this.#state === 'stopping' || this.#state === 'stopped') return;
    this.#move('stopping');
    const { config, log, events } = this.#options;
    events.record('stop', { cause });
    this.#announce();
    // What the kernel has accepted by now is taken and handed over in the rest of this turn; a close before that
    // would reset connections whose requests are under way.
    await nextTurn();
    this.#listener.close();
    this.#preparing?.kill('SIGTERM', cause);
    await this.#stopChildren(config.DRAIN_TIMEOUT_MS, cause);
    this.#listener.abandon();
    await this.#preparing?.ended();
    this.#move('stopped');
    log.debug('every child has ended');
  }

  /**
   * Brings the code on disk into service: one worker at a time, what runs beside them, then the writer, each ready before the old one goes.
   * @returns the names of those replaced
   * @throws Failure why a new child did not come up; it stops there, and the old children go on
   */
  async reload(cause: string): Promise<string[]> {
    const { log, events } = this.#options;
    const replaced: string[] = [];
    try {
      await this.#exchangeAll([...this.#workers, ...this.#backgrounds, this.#writer], cause, replaced);
      log.info({ replaced, cause }, 'reload done');
      events.record('reload', { cause: `${cause}: ${replaced.join(', ')}` });
      return replaced;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      log.error(
        { code: error.code, replaced, cause },
        `reload stopped: ${error.message}; the old processes go on`,
      );
      events.record('reload-failed', { cause: error.message });
      throw error;
    }
  }

  /**
   * Exchanges the children of one role.
   * @param target a role, such as worker, or a name, such as worker-1
   * @returns the names of those replaced
   * @throws Failure usage when there is none such, or why a new child did not come up
   */
  async restart(target: string, cause: string): Promise<string[]> {
    const slots = this.#slots.filter(({ name }) => name === target || roleOf(name) === target);
    if (slots.length === 0) {
      const names = new Set(this.#slots.flatMap(({ name }) => [roleOf(name), name]));
      throw new Failure('usage', `There is no ${target}; there are ${[...names].join(', ')}`);
    }
    const replaced: string[] = [];
    await this.#exchangeAll(slots, cause, replaced);
    return replaced;
  }

  /** @param replaced gets the name of each, as soon as it is exchanged */
  async #exchangeAll(slots: readonly Slot[], cause: string, replaced: string[]): Promise<void> {
    const { DRAIN_TIMEOUT_MS } = this.#options.config;
    if (this.#state !== 'serving') throw new Failure('not_ready', `The system is ${this.#state}`);
    if (this.#reloading) throw new Failure('not_ready', 'A reload or a restart is under way');
    this.#reloading = true;
    try {
      // It has the code of before.
      this.#spare.freeze();
      for (const slot of slots) {
        await this.#exchange(() => slot.replace(DRAIN_TIMEOUT_MS, cause));
        replaced.push(slot.name);
      }
      await this.#spare.discard(cause);
    } finally {
      this.#reloading = false;
      this.#keepSpare();
    }
  }

  /**
   * Restores the replica and compares it with the databases, or waits for the drill that is under way.
   * @throws Failure not_ready when the system is not serving, or stops meanwhile
   */
  async verify(): Promise<DrillResult> {
    return this.#drills.run();
  }

  async #startData(): Promise<void> {
    await this.#prepare();
    this.#litestream.start();
    await this.#litestream.ready();
    this.#storeProbe.start();
    this.#writer.start();
    await this.#writer.ready();
  }

  async #startWorkers(): Promise<void> {
    for (const worker of this.#workers) worker.start();
    for (const background of this.#backgrounds) background.start();
    await Promise.all([
      ...this.#workers.map((worker) => worker.ready()),
      // What does not come up is told by /ready, and keeps nobody from serving.
      ...this.#backgrounds.map(({ child }) => child && firstOutcome(child)),
    ]);
    this.#keepSpare();
  }

  #keepSpare(): void {
    if (this.#options.config.SPARE_WORKERS > 0 && !this.#isEnding) this.#spare.keep();
  }

  async #stopChildren(drainTimeoutMs: number, cause: string): Promise<void> {
    const { REPLICA_STOP_TIMEOUT_MS } = this.#options.config;
    this.#storeProbe.stop();
    await this.#drills.stop(cause);
    const users = [...this.#workers, ...this.#backgrounds].map((slot) => slot.stop(drainTimeoutMs, cause));
    await Promise.all([...users, this.#spare.discard(cause)]);
    this.#writer.retire(WRITER_DRAIN_MS + REPLICA_STOP_TIMEOUT_MS, cause);
    if (this.#writer.child) await quiesced(this.#writer.child);
    await this.#litestream.stop(REPLICA_STOP_TIMEOUT_MS, cause);
    // Only now may the writer's connections go, and by SIGKILL: a clean close would delete the WAL.
    this.#writer.child?.kill('SIGKILL', cause);
    await this.#writer.child?.ended();
  }

  /**
   * Takes everything but the port down, has the damaged database replaced by its replica, and comes up again.
   * Connections wait meanwhile. A second damage soon after the first is the disk's, and no restore mends that.
   */
  async #heal(reason: string): Promise<void> {
    if (this.#state !== 'serving') return;
    const { config, log, events, onFatal } = this.#options;
    const damage = `A database is damaged (${reason})`;
    log.error({ reason }, damage);
    const sinceHealMs = performance.now() - this.#healedAtMs;
    if (config.HEAL === 'manual' || sinceHealMs < HEAL_INTERVAL_MIN_MS) {
      const advice =
        config.HEAL === 'manual'
          ? `HEAL=manual. Nothing was changed. ${INSTRUCTIONS}`
          : 'it was healed only just now: check the disk. The next start checks the database and restores it.';
      onFatal(new Failure('storage_corrupt', `${damage}, and ${advice}`));
      return;
    }
    this.#move('healing');
    events.record('heal', { cause: damage });
    this.#healedAtMs = performance.now();
    this.#announce();
    try {
      await this.#stopChildren(HEAL_DRAIN_MS, 'healing');
      await this.#startData();
      await this.#startWorkers();
      this.#move('serving');
      this.#drills.start();
      events.record('healed', { cause: reason, durationMs: performance.now() - this.#healedAtMs });
      log.info(
        { durationMs: Math.round(performance.now() - this.#healedAtMs) },
        'healed: everything serves again',
      );
      this.#announce();
    } catch (error) {
      if (this.#isEnding) return;
      onFatal(error instanceof Failure ? error : new Failure('internal', 'Healing failed', { cause: error }));
    }
  }

  /** Runs one exchange of a child after the others: at most one child of the system is doubled at a time. */
  #exchange(run: () => Promise<void>): Promise<void> {
    const result = this.#exchanging.then(() => {
      if (this.#state !== 'serving') throw new Failure('not_ready', `The system is ${this.#state}`);
      return run();
    });
    this.#exchanging = result.catch(() => {});
    return result;
  }

  #slot(name: string, handover: SlotOptions['handover'], spawnChild: (standby: boolean) => Child): Slot {
    const { config, log } = this.#options;
    const policy = new RestartPolicy({
      backoffMinMs: config.RESTART_BACKOFF_MIN_MS,
      backoffMaxMs: config.RESTART_BACKOFF_MAX_MS,
      intensity: config.RESTART_INTENSITY,
      windowMs: config.RESTART_WINDOW_MS,
      breakerRetryMs: config.BREAKER_RETRY_MS,
      stableMs: STABLE_MS,
      now: () => performance.now(),
      random: Math.random,
    });
    const slot = new Slot({
      name,
      spawn: spawnChild,
      handover,
      policy,
      forgiveMs: config.RESTART_WINDOW_MS,
      log,
    });
    slot.on('change', () => this.#scheduleAnnounce());
    this.#options.events.watch(slot);
    this.#telemetry.watch(slot);
    return slot;
  }

  #move(state: SystemState): void {
    this.#state = state;
    this.#stateSinceAtMs = Date.now();
  }

  get #isEnding(): boolean {
    return this.#state === 'stopping' || this.#state === 'stopped';
  }

  #forkChild(
    name: string,
    entry: URL,
    input?: unknown,
    env?: NodeJS.ProcessEnv,
    silenceTimeoutMs = this.#options.config.HANG_TIMEOUT_MS + SILENCE_GRACE_MS,
  ): Child {
    const { config, log } = this.#options;
    const child = new Child({
      name,
      process: fork({ role: name, entryPath: fileURLToPath(entry), config, input }, env),
      startTimeoutMs: config.START_TIMEOUT_MS,
      drainBy: 'message',
      silenceTimeoutMs,
      log,
    });
    this.#telemetry.hear(child);
    child.on('message', (message) => {
      if (message.kind === 'damaged') this.#heal(message.reason);
    });
    return child;
  }

  #spawnLitestream(): Child {
    const { config, secrets, litestream, litestreamConfigPath, databases, log } = this.#options;
    const { command, args } = replicateCommand(litestream, litestreamConfigPath);
    const litestreamProcess = spawn(command, args, {
      // A group of its own: Ctrl-C at the terminal must not end it before the last commit is shipped.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...litestreamEnv(process.env, secrets, litestream.format),
        [DATA_DIR_VARIABLE]: config.DATA_DIR,
      },
    });
    const child = new Child({
      name: 'litestream',
      process: litestreamProcess,
      startTimeoutMs: config.START_TIMEOUT_MS,
      drainBy: 'SIGTERM',
      silenceTimeoutMs: 0,
      log,
    });
    const confirmer = confirmerFor(litestream, {
      config,
      databases,
      onConfirmed: (confirmation) => this.#onConfirmed(confirmation),
      onFailed: (reason) => this.#replication.failed(reason),
    });
    child.once('exit', () => confirmer.stop());
    const onReady = () => {
      this.#replication.restarted();
      child.markReady();
      confirmer.start();
    };
    const onLine = confirmer.onLine.bind(confirmer);
    new LogRelay({ log, secrets, databases: databases.length, onReady, onLine }).attach(litestreamProcess);
    return child;
  }

  #onConfirmed(confirmation: Confirmation): void {
    this.#confirmations.set(confirmation.database, confirmation);
    this.#replication.confirmed(confirmation);
    this.#drills.confirmed(confirmation);
    this.#writer.child?.send({ kind: 'replicated', ...confirmation });
  }

  /** The writer measures the lag; what the replica had before this writer's time it cannot know. */
  #informWriter(child: Child): void {
    child.once('ready', () => {
      for (const confirmation of this.#confirmations.values())
        child.send({ kind: 'replicated', ...confirmation });
    });
    child.on('message', (message) => {
      if (message.kind === 'ready') this.#isWriterDrained = false;
      if (message.kind === 'drained') this.#isWriterDrained = true;
      if (message.kind !== 'lag') return;
      this.#setReadOnly(message.readOnlyBecause);
      this.#replication.look(message.reports);
      this.#scheduleAnnounce();
    });
  }

  #setReadOnly(because: string | undefined): void {
    const { events } = this.#options;
    if (because && !this.#readOnlyBecause) events.record('writes-refused', { cause: because });
    if (!because && this.#readOnlyBecause) events.record('writes-accepted', { cause: 'there is room again' });
    this.#readOnlyBecause = because;
  }

  /** A process that reads the replica by itself. @param silenceTimeoutMs as `ChildOptions` has it */
  #forkWithReplica(name: string, entry: URL, more: object, silenceTimeoutMs?: number): Child {
    const { litestream, litestreamConfigPath, databases, secrets } = this.#options;
    const input = { litestream, litestreamConfigPath, databases, ...more };
    const env = { ...pickSecrets(secrets, REPLICA_SECRETS) };
    return this.#forkChild(name, entry, input, env, silenceTimeoutMs);
  }

  /** Checks or restores the databases, in a process of its own: it may take minutes, and it may crash. */
  async #prepare(): Promise<void> {
    const reports = Object.entries(this.#replication.reports);
    const isFinal = this.#isWriterDrained;
    const lastCommits = Object.fromEntries(
      reports.map(([name, { lastCommit }]) => [name, { ...lastCommit, isFinal }]),
    );
    const child = this.#forkWithReplica('prepare', PREPARE_ENTRY, { lastCommits });
    this.#preparing = child;
    child.on('message', (message) => {
      if (message.kind !== 'restored') return;
      const cause = `${message.database} was restored: ${message.loss}`;
      this.#options.events.record('restored', { cause });
    });
    child.markReady();
    const exit = await new Promise<Parameters<typeof finalFailure>[0]>((resolve) =>
      child.once('exit', resolve),
    );
    if (this.#isEnding) throw new Failure('not_ready', 'Stopped while starting');
    if (exit.code !== 0) {
      throw (
        finalFailure(exit) ?? new Failure('child_failed', `Preparing the databases failed: ${exit.cause}`)
      );
    }
  }

  #admit(child: Child): void {
    child.send({ kind: 'status', status: this.#status() });
    this.#listener.add(child);
  }

  #status(): SystemStatus {
    const notReady = [];
    const degraded = [];
    if (this.#state !== 'serving') notReady.push({ name: 'system', reason: this.#state });
    if (this.#writer.trouble) notReady.push({ name: 'writer', reason: this.#writer.trouble });
    for (const { name, trouble } of [this.#litestream, ...this.#workers, ...this.#backgrounds]) {
      if (trouble) degraded.push({ name, reason: trouble });
    }
    if (this.#readOnlyBecause)
      degraded.push({ name: 'storage', reason: `writes are refused: ${this.#readOnlyBecause}` });
    if (this.#replication.trouble) degraded.push({ name: 'replication', reason: this.#replication.trouble });
    if (this.#drills.trouble) degraded.push({ name: 'drill', reason: this.#drills.trouble });
    return {
      ready: notReady.length === 0,
      notReady,
      degraded,
      replication: this.#replication.status,
      drill: this.#drills.status,
    };
  }

  /** One message a turn, however many children changed in it. */
  #scheduleAnnounce(): void {
    if (this.#statusScheduled) return;
    this.#statusScheduled = true;
    setImmediate(() => {
      this.#statusScheduled = false;
      this.#announce();
    });
  }

  #announce(): void {
    const status = this.#status();
    const text = JSON.stringify(status);
    if (text === this.#lastStatus) return;
    this.#lastStatus = text;
    for (const { child } of this.#workers)
      if (child?.state === 'ready') child.send({ kind: 'status', status });
  }

  /** When every worker's breaker is open, nothing serves, and a start from clean is the better try. */
  #checkHopeless(): void {
    if (this.#state !== 'serving' || !this.#workers.every((worker) => worker.state === 'broken')) return;
    this.#options.onFatal(new Failure('child_failed', 'No worker stays alive; giving up'));
  }
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
