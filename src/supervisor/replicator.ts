import { spawn } from 'node:child_process';
import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';
import type { LitestreamBinary } from '../replication/binary.ts';
import type { Confirmation } from '../replication/confirmation.ts';
import { confirmerFor } from '../replication/confirmer-for.ts';
import { LogRelay, litestreamEnv, replicateCommand } from '../replication/litestream.ts';
import { ReplicationMonitor } from '../replication/monitor.ts';
import { StoreProbe } from '../replication/store-probe.ts';
import type { Secrets } from '../secrets.ts';
import { Child } from './child.ts';
import type { Events } from './events.ts';
import { DATA_DIR_VARIABLE } from './fork.ts';
import type { Places } from './places.ts';
import type { Slot } from './slot.ts';

/** How often the writer reports its lag: so much older than it is may a commit seem. */
const LAG_REPORT_MS = 500;

export interface ReplicatorOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
  readonly log: Logger;
  readonly events: Events;
  readonly places: Places;
  readonly onChange: () => void;
  /** The replica holds more than before. */
  readonly onConfirmed: (confirmation: Confirmation) => void;
}

/**
 * Litestream in its place, and what is known of the replica: the confirmations outlive each Litestream, the monitor
 * judges them, the probe asks the store itself. States are the slot's and the monitor's; the probe is on from `start`
 * to `stopProbing`.
 */
export class Replicator {
  readonly slot: Slot;
  readonly monitor: ReplicationMonitor;
  readonly #options: ReplicatorOptions;
  readonly #storeProbe: StoreProbe;
  /** The last one of each database, for a writer that starts later. */
  readonly #confirmations = new Map<string, Confirmation>();

  constructor(options: ReplicatorOptions) {
    const { config, log, events, places, onChange } = options;
    this.#options = options;
    this.slot = places.make('litestream', 'gap', () => this.#spawn());
    this.monitor = new ReplicationMonitor({
      lagNormalMs: 2 * config.REPLICA_SYNC_INTERVAL_MS + LAG_REPORT_MS,
      stallTimeoutMs: config.REPLICA_STALL_TIMEOUT_MS,
      now: () => performance.now(),
      log,
      onStall: (cause) => {
        events.record('stall', { child: 'litestream', pid: this.slot.child?.pid, cause });
        this.slot.child?.fault(cause);
      },
      onChange: () => {
        const { state, trouble } = this.monitor;
        events.record('replication', { cause: trouble ?? state });
        this.#storeProbe.wake();
        onChange();
      },
    });
    this.#storeProbe = new StoreProbe({
      config,
      isAlert: () => this.monitor.state !== 'streaming',
      onResult: (silence) => this.monitor.probed(silence),
    });
  }

  /** The last confirmation of each database. */
  get confirmations(): Iterable<Confirmation> {
    return this.#confirmations.values();
  }

  /** Resolves when Litestream has taken up the databases. */
  async start(): Promise<void> {
    this.slot.start();
    await this.slot.ready();
    this.#storeProbe.start();
  }

  stopProbing(): void {
    this.#storeProbe.stop();
  }

  /** Ends Litestream, which ships what it has until the deadline. */
  async stop(timeoutMs: number, cause: string): Promise<void> {
    await this.slot.stop(timeoutMs, cause);
  }

  #spawn(): Child {
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
      onSnapshot: (database, sizeBytes) => this.monitor.snapshotBegan(database, sizeBytes),
      onSnapshotEnd: (database) => this.monitor.snapshotEnded(database),
      onFailed: (reason) => this.monitor.failed(reason),
    });
    child.once('exit', () => confirmer.stop());
    const onReady = () => {
      this.monitor.restarted();
      child.markReady();
      confirmer.start();
    };
    const onLine = confirmer.onLine.bind(confirmer);
    new LogRelay({ log, secrets, databases: databases.length, onReady, onLine }).attach(litestreamProcess);
    return child;
  }

  #onConfirmed(confirmation: Confirmation): void {
    this.#confirmations.set(confirmation.database, confirmation);
    this.monitor.confirmed(confirmation);
    this.#options.onConfirmed(confirmation);
  }
}
