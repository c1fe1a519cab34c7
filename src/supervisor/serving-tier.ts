import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { BackgroundInput } from '../runtime/background.ts';
import type { Child } from './child.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ProcessFactory } from './process-factory.ts';
import { backgroundSpec, drainTimeoutMsOf, namesOf, PROCESSES, type ProcessSpec } from './processes.ts';
import type { Deployment } from './release/deployment.ts';
import type { Slot } from './slot.ts';
import { Spare } from './spare.ts';

export interface ServingTierOptions {
  /** What the first processes are made from. */
  readonly deployment: Deployment;
  readonly factory: ProcessFactory;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  /** Where the system listens; known when this tier starts. */
  readonly url: () => string;
  /** A worker is ready for connections. */
  readonly onReady: (child: Child) => void;
  /** A worker or a background process has sent a report. */
  readonly onReport: () => void;
  readonly onChange: () => void;
}

/**
 * The processes that use the data and may go at any time: the workers, the spares, and the background processes of
 * features. It has no states but its slots'.
 */
export class ServingTier {
  readonly workers: readonly Slot[];
  readonly spare: Spare;
  readonly #options: ServingTierOptions;
  #backgrounds: readonly Slot[];
  #requests: 'answered' | 'held' | 'closed' = 'answered';

  constructor(options: ServingTierOptions) {
    const { deployment, factory, log, onChange } = options;
    const { config, backgrounds } = deployment;
    this.#options = options;
    this.workers = namesOf(PROCESSES.worker, config).map((name) => this.#workerSlot(name));
    this.#backgrounds = backgrounds.map(({ name }) => this.#backgroundSlot(name, deployment));
    this.spare = new Spare({
      names: namesOf(PROCESSES.spare, config),
      deployment: () => this.deployment,
      spawn: (name, deployment) => factory.child(PROCESSES.spare, { name, deployment, standby: 'all' }),
      isPlaceStarting: () => this.workers.some(({ childState }) => childState === 'starting'),
      startTimeoutMs: config.START_TIMEOUT_MS,
      onChange,
      log,
    });
  }

  /** What all of it is made from; during an exchange, still the deployment before. */
  get deployment(): Deployment {
    // The last worker is exchanged last.
    return (this.workers.at(-1) as Slot).deployment;
  }

  /** In start order. */
  get slots(): readonly Slot[] {
    return [...this.workers, ...this.#backgrounds];
  }

  /** Only probes are answered any more. */
  get areRequestsClosed(): boolean {
    return this.#requests === 'closed';
  }

  /** Has the workers load their code while the data tier starts. */
  prefork(): void {
    for (const { name, deployment } of this.workers)
      this.#options.factory.prefork(PROCESSES.worker, { name, deployment });
  }

  /**
   * Resolves when every worker is ready. The background processes start then: nobody who waits to be served shall wait
   * for them. When one does not come up, `/ready` tells.
   * @throws Failure the reason that a worker cannot start
   */
  async start(): Promise<void> {
    for (const slot of this.workers) slot.start();
    await Promise.all(this.workers.map((worker) => worker.ready()));
    for (const slot of this.#backgrounds) slot.start();
    if (!this.#options.lifecycle.isEnding) this.spare.keep();
  }

  /** Lets the background processes finish what they do, and ends them, until `resumeBackgrounds`. */
  async pauseBackgrounds(cause: string): Promise<void> {
    await Promise.all(
      this.#backgrounds.map((slot) => slot.stop(slot.deployment.config.DRAIN_TIMEOUT_MS, cause)),
    );
  }

  resumeBackgrounds(): void {
    for (const slot of this.#backgrounds) if (slot.state === 'stopped') slot.start();
  }

  /**
   * Holds all requests from now on, also those of later workers, until `letRequests`.
   * @param timeoutMs how long requests under way may take to be answered
   */
  async holdRequests(timeoutMs: number): Promise<void> {
    this.#requests = 'held';
    await Promise.all(
      this.workers.map(({ child }) => {
        const held = child?.says('requests-held', timeoutMs);
        child?.send({ kind: 'hold-requests' });
        return held;
      }),
    );
  }

  /** Answers the requests that were held and all later ones, or closes their connections; also with later workers. */
  letRequests(be: 'answered' | 'closed'): void {
    this.#requests = be;
    for (const { child } of this.workers) child?.send({ kind: 'let-requests', be });
  }

  /** @param drainTimeoutMs how long each process may take to finish; by default what the table of processes says */
  async stop(cause: string, drainTimeoutMs?: number): Promise<void> {
    const stopped = this.slots.map((slot) => {
      const { config } = slot.deployment;
      return slot.stop(drainTimeoutMs ?? drainTimeoutMsOf(PROCESSES.worker, config), cause);
    });
    await Promise.all([...stopped, this.spare.discard(cause)]);
  }

  /** @returns the background processes that a release has too, in start order */
  backgroundsOf({ backgrounds }: Deployment): readonly Slot[] {
    return this.#backgrounds.filter((slot) => backgrounds.some(({ name }) => name === slot.name));
  }

  /**
   * Adopts the background processes of a release: starts those that it adds, and ends those that it dropped.
   * @returns the names of both
   * @throws Failure why one does not come up; the added ones are ended then, and none is dropped
   */
  async adopt(deployment: Deployment, cause: string): Promise<readonly string[]> {
    const before = this.#backgrounds;
    const kept = this.backgroundsOf(deployment);
    const dropped = before.filter((slot) => !kept.includes(slot));
    const added = deployment.backgrounds
      .filter(({ name }) => !kept.some((slot) => slot.name === name))
      .map(({ name }) => this.#backgroundSlot(name, deployment));
    const { DRAIN_TIMEOUT_MS } = deployment.config;
    this.#backgrounds = [...before, ...added];
    for (const slot of added) slot.start();
    try {
      await Promise.all(added.map((slot) => slot.ready()));
    } catch (error) {
      this.#backgrounds = before;
      await Promise.all(added.map((slot) => slot.stop(DRAIN_TIMEOUT_MS, cause)));
      throw error;
    }
    this.#backgrounds = [...kept, ...added];
    await Promise.all(dropped.map((slot) => slot.stop(DRAIN_TIMEOUT_MS, cause)));
    return [...added, ...dropped].map(({ name }) => name);
  }

  #workerSlot(name: string): Slot {
    const { deployment, factory, onReady, onReport } = this.#options;
    const slot: Slot = factory.slot(
      PROCESSES.worker,
      { name, deployment },
      (deployment) =>
        this.spare.take(name, deployment) ?? factory.child(PROCESSES.worker, { name, deployment }),
      () => !this.workers.some((worker) => worker !== slot && worker.isReady),
    );
    slot.on('child', (child) => {
      child.once('ready', () => {
        if (this.#requests === 'held') child.send({ kind: 'hold-requests' });
        if (this.#requests === 'closed') child.send({ kind: 'let-requests', be: 'closed' });
        onReady(child);
      });
      onEach(child, onReport);
    });
    slot.on('change', () => this.spare.placeChanged());
    return slot;
  }

  #backgroundSlot(name: string, deployment: Deployment): Slot {
    const { factory, url, onReport } = this.#options;
    const slot = factory.slot(PROCESSES.background, { name, deployment }, (from) => {
      const input: BackgroundInput = { url: url() };
      return factory.child(specIn(from, name), { name, deployment: from, input });
    });
    // Only reports: the slot tells of state changes, and beats change nothing.
    slot.on('child', (child) => onEach(child, onReport));
    return slot;
  }
}

function specIn({ release, backgrounds }: Deployment, name: string): ProcessSpec {
  const background = backgrounds.find((candidate) => candidate.name === name);
  if (background) return backgroundSpec(background);
  throw new Failure('internal', `Release ${release.hash} has no ${name}`);
}

function onEach(child: Child, onReport: () => void): void {
  child.on('message', ({ kind }) => {
    if (kind === 'report') onReport();
  });
}
