import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Confirmation } from '../messages/confirmation.ts';
import type { Logger } from '../platform/log.ts';
import { refuseExchanged } from '../replication/binary.ts';
import { confirmerFor } from '../replication/confirmer-for.ts';
import { removeSidecar } from '../replication/history/sidecar.ts';
import { LogRelay, litestreamEnv, replicateCommand } from '../replication/litestream.ts';
import { writeLitestreamConfig } from '../replication/litestream-config.ts';
import type { LitestreamLine } from '../replication/log-line.ts';
import { ReplicationMonitor } from '../replication/monitor.ts';
import { Retention } from '../replication/retention.ts';
import { advisedReason } from '../replication/store/remedies.ts';
import { StoreProbe } from '../replication/store/store-probe.ts';
import { UploadCheck, type UploadCheckOptions } from '../replication/watch/upload-check.ts';
import type { Child } from './child.ts';
import { processClock } from './clock.ts';
import type { Events } from './events.ts';
import { DATA_DIR_VARIABLE } from './fork.ts';
import type { ProcessFactory } from './process-factory.ts';
import { drainTimeoutMsOf, PROCESSES } from './processes.ts';
import type { Deployment } from './release/deployment.ts';
import type { Slot } from './slot.ts';

/** How often the writer reports its lag: a commit may seem so much older than it is. */
const LAG_REPORT_MS = 500;

export interface ReplicatorOptions extends Pick<UploadCheckOptions, 'isOwner'> {
  /** The deployment of the start, whose replica settings stay in force. */
  readonly deployment: Deployment;
  /** The deployment that serves now; it says which Litestream is started. */
  readonly running: () => Deployment;
  readonly log: Logger;
  readonly events: Events;
  readonly factory: ProcessFactory;
  readonly onChange: () => void;
  /** Litestream has confirmed an upload. */
  readonly onConfirmed: (confirmation: Confirmation) => void;
  /** A confirmation counts: at once, or when it is no longer held back. */
  readonly onCounted: (confirmation: Confirmation) => void;
  /** Finds out whether a confirmation counts, and then calls `counted`; undefined where each confirmation counts. */
  readonly gate?: ((confirmation: Confirmation) => void) | undefined;
  /** A Litestream process has ended. */
  readonly onEnded: () => void;
  /** Litestream fails again and again with the same error, though the store can be reached. */
  readonly onWedged: (reason: string, database: string | undefined) => void;
}

/**
 * Litestream in its slot, and what is known of the replica. The confirmations outlive each Litestream, the monitor
 * judges them, and the probe asks the store itself. States are those of the slot and of the monitor; the probe is on
 * from `start` to `stopProbing`.
 */
export class Replicator {
  readonly slot: Slot;
  readonly monitor: ReplicationMonitor;
  readonly #options: ReplicatorOptions;
  readonly #storeProbe: StoreProbe;
  readonly #uploadCheck: UploadCheck;
  #checkTrouble: string | undefined;
  readonly retention = new Retention();
  /** Whether confirmations are held back. Below: the last one of each database. */
  #isHeld = false;
  readonly #held = new Map<string, Confirmation>();
  /** Databases that begin a new generation with the next Litestream. */
  readonly #toRenew = new Set<string>();
  #renewedBytes = 0;
  /** The last confirmation that counted of each database, for a writer that starts later. */
  readonly #confirmations = new Map<string, Confirmation>();

  constructor(options: ReplicatorOptions) {
    const { deployment, running, log, events, factory, onChange } = options;
    const { config, secrets } = deployment;
    this.#options = options;
    this.#uploadCheck = new UploadCheck({
      config,
      env: { ...process.env, ...secrets },
      isOwner: options.isOwner,
      onFound: (confirmation) => this.#onFound(confirmation),
      onTrouble: (reason) => {
        if (reason === this.#checkTrouble) return;
        this.#checkTrouble = reason;
        onChange();
      },
    });
    const name = PROCESSES.litestream.role;
    this.slot = factory.slot(PROCESSES.litestream, { name, deployment }, () => this.#spawn(running()));
    this.monitor = new ReplicationMonitor({
      lagNormalMs: 2 * config.REPLICA_SYNC_INTERVAL_MS + LAG_REPORT_MS,
      stallTimeoutMs: config.REPLICA_STALL_TIMEOUT_MS,
      now: () => processClock.nowMs(),
      log,
      onStall: (cause) => {
        events.record('stall', { child: 'litestream', pid: this.slot.child?.pid, cause });
        this.slot.child?.fault(cause);
      },
      onWedged: options.onWedged,
      onChange: () => {
        const { state, trouble } = this.monitor;
        events.record('replication', { cause: trouble ?? state });
        this.#storeProbe.wake();
        onChange();
      },
    });
    this.#storeProbe = new StoreProbe({
      config,
      isUrgent: () => this.monitor.state !== 'streaming',
      onResult: (silence) => this.monitor.probed(silence),
    });
  }

  /** The last confirmation of each database that counted. */
  get confirmations(): Iterable<Confirmation> {
    return this.#confirmations.values();
  }

  /** Why it cannot be checked whether an upload is in the replica; undefined when it can. */
  get checkTrouble(): string | undefined {
    return this.#checkTrouble;
  }

  /** From now on the probe tells whether the store answers. */
  probe(): void {
    this.#storeProbe.start();
  }

  /** Resolves when Litestream has opened the databases. */
  async start(): Promise<void> {
    this.slot.start();
    await this.slot.ready();
    this.probe();
  }

  /** From now on nothing counts as replicated; confirmations are kept until `pass`. */
  hold(): void {
    this.#isHeld = true;
    // A writer that starts meanwhile must not hear of them.
    for (const [database, confirmation] of this.#confirmations) this.#held.set(database, confirmation);
    this.#confirmations.clear();
  }

  /** Ends `hold`: confirmations count again, also those that were kept. */
  pass(): void {
    this.#isHeld = false;
    for (const confirmation of this.#held.values()) this.#count(confirmation);
    this.#held.clear();
  }

  /**
   * Begins a new generation of some databases.
   * @param sizeBytes how much that uploads
   */
  renew(databases: readonly string[], sizeBytes: number): void {
    for (const database of databases) {
      this.#toRenew.add(database);
      this.#held.delete(database);
    }
    this.#renewedBytes += sizeBytes;
    this.slot.child?.kill('a new generation begins');
  }

  /** How many bytes were uploaded for new generations that replaced lost ones. */
  get renewedBytes(): number {
    return this.#renewedBytes;
  }

  /** Ends Litestream at once, and keeps its place empty until `start`: nothing more is uploaded. */
  async kill(cause: string): Promise<void> {
    this.slot.child?.kill(cause);
    await this.slot.stop(0, cause);
  }

  stopProbing(): void {
    this.#storeProbe.stop();
  }

  /** Ends Litestream, which ships what it has until the deadline. */
  async stop(cause: string): Promise<void> {
    const { config } = this.#options.running();
    await this.slot.stop(drainTimeoutMsOf(PROCESSES.litestream, config), cause);
  }

  #spawn(deployment: Deployment): Child {
    const { config, secrets, litestream, litestreamConfigPath, databases } = deployment;
    const { log, factory } = this.#options;
    const confirmer = confirmerFor(litestream, {
      config,
      databases,
      onConfirmed: (confirmation) => this.#onConfirmed(confirmation),
      onSnapshot: (database, sizeBytes) => this.monitor.snapshotBegan(database, sizeBytes),
      onSnapshotEnd: (database) => this.monitor.snapshotEnded(database),
      onFailed: (reason, database) => this.monitor.failed(advisedReason(reason), database),
    });
    const onReady = () => {
      this.monitor.restarted();
      child.markReady();
      confirmer.start();
    };
    const onLine = (line: LitestreamLine) => {
      this.retention.onLine(line);
      confirmer.onLine(line);
    };
    const relay = new LogRelay({ log, secrets, databases: databases.length, onReady, onLine });
    const child = factory.binary(
      PROCESSES.litestream,
      { name: PROCESSES.litestream.role, deployment },
      () => {
        refuseExchanged(litestream);
        for (const database of this.#toRenew) removeSidecar(config.DATA_DIR, database);
        this.#toRenew.clear();
        // Somebody may have removed the configuration.
        if (!existsSync(litestreamConfigPath))
          writeLitestreamConfig(config, databases, { format: litestream.format });
        const { command, args } = replicateCommand(litestream, litestreamConfigPath);
        const started = spawn(command, args, {
          // A process group of its own: Ctrl-C at the terminal must not end it before the last commit is shipped.
          detached: true,
          stdio: ['ignore', 'pipe', 'pipe'],
          env: {
            ...litestreamEnv(process.env, secrets, { config, configPath: litestreamConfigPath }),
            [DATA_DIR_VARIABLE]: config.DATA_DIR,
          },
        });
        const { pid } = started;
        // A process that could not be started may have no output.
        if (pid !== undefined) {
          relay.attach(started);
          started.once('exit', () => endGroup(pid));
        }
        return started;
      },
    );
    child.once('exit', () => {
      confirmer.stop();
      this.#options.onEnded();
    });
    return child;
  }

  #onConfirmed(confirmation: Confirmation): void {
    this.monitor.confirmed(confirmation);
    this.#options.onConfirmed(confirmation);
    this.#uploadCheck.add(confirmation);
  }

  #onFound(confirmation: Confirmation): void {
    if (this.#isHeld) this.#held.set(confirmation.database, confirmation);
    else this.#count(confirmation);
  }

  #count(confirmation: Confirmation): void {
    const { gate } = this.#options;
    if (gate) gate(confirmation);
    else this.counted(confirmation);
  }

  /** The confirmation counts: the commit is replicated. */
  counted(confirmation: Confirmation): void {
    if (this.#isHeld) {
      this.#held.set(confirmation.database, confirmation);
      return;
    }
    this.#confirmations.set(confirmation.database, confirmation);
    this.#options.onCounted(confirmation);
  }
}

/** Ends what a script in Litestream's place has left: it would upload beside the next one, and after a stop. */
function endGroup(groupId: number): void {
  try {
    process.kill(-groupId, 'SIGKILL');
  } catch {
    // Nothing was left.
  }
}
