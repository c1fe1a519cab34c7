import { Failure } from '../errors.ts';
import type { Child, ChildExit } from './child.ts';
import { Drills } from './drills.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ProcessFactory } from './process-factory.ts';
import { Replicator, type ReplicatorOptions } from './replicator.ts';
import { finalFailure, type Slot } from './slot.ts';
import { WriterPlace } from './writer-place.ts';

/** What the writer gets to decide its last writes. */
const WRITER_DRAIN_MS = 5000;
/** What the process that prepares the databases gets to end its restore; one that still loads does not hear of it. */
const PREPARE_STOP_MS = 3000;

export interface DataTierOptions extends Omit<ReplicatorOptions, 'onConfirmed'> {
  readonly factory: ProcessFactory;
  readonly lifecycle: Lifecycle;
}

/**
 * Everything that has the databases open: they are prepared, then Litestream starts, then the writer, and down in
 * reverse. Drills are a part of it, since they compare the two. States and who moves them: down → preparing (`start`)
 * → up → down (`stop`); a start that fails is stopped too.
 */
export class DataTier {
  readonly replicator: Replicator;
  readonly writer: WriterPlace;
  readonly drills: Drills;
  readonly #options: DataTierOptions;
  #preparing: Child | undefined;

  constructor(options: DataTierOptions) {
    const { config, log, events, places, factory, onChange } = options;
    this.#options = options;
    this.replicator = new Replicator({
      ...options,
      onConfirmed: (confirmation) => {
        this.drills.confirmed(confirmation);
        this.writer.confirmed(confirmation);
      },
    });
    this.writer = new WriterPlace({
      factory,
      places,
      events,
      confirmations: () => this.replicator.confirmations,
      reports: () => this.replicator.monitor.reports,
      onLag: (reports) => {
        this.replicator.monitor.look(reports);
        onChange();
      },
    });
    this.drills = new Drills({
      dataDir: config.DATA_DIR,
      intervalMs: config.DRILL_INTERVAL_MS,
      spawn: () => factory.drill(),
      confirmations: () => this.replicator.confirmations,
      log,
      onChange,
      onResult: ({ ok, reason }) => {
        if (!ok) events.record('drill-failed', { cause: reason ?? 'no reason told' });
      },
    });
  }

  /** In start order. */
  get slots(): readonly Slot[] {
    return [this.replicator.slot, this.writer.slot];
  }

  /** @throws Failure the reason that it cannot start */
  async start(): Promise<void> {
    await this.#prepare();
    await this.replicator.start();
    await this.writer.start();
  }

  /** Ends what nobody waits for any more; what serves goes on. */
  async abort(cause: string): Promise<void> {
    this.#preparing?.drain(PREPARE_STOP_MS, cause);
    this.replicator.stopProbing();
    await this.drills.stop(cause);
  }

  /** Takes it down, with nobody left who writes: the last commit is shipped. */
  async stop(cause: string): Promise<void> {
    const { REPLICA_STOP_TIMEOUT_MS } = this.#options.config;
    await this.writer.retire(WRITER_DRAIN_MS + REPLICA_STOP_TIMEOUT_MS, cause);
    await this.replicator.stop(REPLICA_STOP_TIMEOUT_MS, cause);
    // Only now may the writer's connections go.
    await this.writer.kill(cause);
    await this.#preparing?.ended();
  }

  async #prepare(): Promise<void> {
    const { factory, events, lifecycle } = this.#options;
    const child = factory.prepare(this.#lastCommits());
    this.#preparing = child;
    child.on('message', (message) => {
      if (message.kind !== 'restored') return;
      this.replicator.monitor.restored(message.database);
      events.record('restored', { cause: `${message.database} was restored: ${message.loss}` });
    });
    child.markReady();
    const exit = await new Promise<ChildExit>((resolve) => child.once('exit', resolve));
    lifecycle.demandNotEnding();
    if (exit.code === 0) return;
    throw finalFailure(exit) ?? new Failure('child_failed', `Preparing the databases failed: ${exit.cause}`);
  }

  #lastCommits(): object {
    const isFinal = this.writer.isDrained;
    const reports = Object.entries(this.replicator.monitor.reports);
    return Object.fromEntries(reports.map(([name, { lastCommit }]) => [name, { ...lastCommit, isFinal }]));
  }
}
