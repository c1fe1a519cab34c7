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
  /** What the first ones are made from. */
  readonly deployment: Deployment;
  readonly factory: ProcessFactory;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  /** Where the system listens; known when this tier starts. */
  readonly url: () => string;
  /** A worker can be given connections. */
  readonly onReady: (child: Child) => void;
  /** A worker or what runs beside them has said how it is. */
  readonly onReport: () => void;
  readonly onChange: () => void;
}

/**
 * Everything that uses the data and may go at any time: the workers, the spare ones, and what features run beside
 * them. It has no states but its slots'.
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

  /** What all of it is made from; during an exchange, what it was made from before. */
  get deployment(): Deployment {
    // The last worker is exchanged last.
    return (this.workers.at(-1) as Slot).deployment;
  }

  /** In start order. */
  get slots(): readonly Slot[] {
    return [...this.workers, ...this.#backgrounds];
  }

  /** Nothing is answered any more but probes. */
  get areRequestsClosed(): boolean {
    return this.#requests === 'closed';
  }

  /** Has what serves load its code while the data tier is brought up. */
  prefork(): void {
    for (const { name, deployment } of this.workers)
      this.#options.factory.prefork(PROCESSES.worker, { name, deployment });
  }

  /**
   * Resolves when every worker is ready. What runs beside them is started then: nobody who waits to be served shall
   * wait for it, and when it does not come up, `/ready` tells.
   * @throws Failure the reason that one cannot start
   */
  async start(): Promise<void> {
    for (const slot of this.workers) slot.start();
    await Promise.all(this.workers.map((worker) => worker.ready()));
    for (const slot of this.#backgrounds) slot.start();
    if (!this.#options.lifecycle.isEnding) this.spare.keep();
  }

  /** What runs beside the workers finishes what it is about, and ends, until `resumeBackgrounds`. */
  async pauseBackgrounds(cause: string): Promise<void> {
    await Promise.all(
      this.#backgrounds.map((slot) => slot.stop(slot.deployment.config.DRAIN_TIMEOUT_MS, cause)),
    );
  }

  resumeBackgrounds(): void {
    for (const slot of this.#backgrounds) if (slot.state === 'stopped') slot.start();
  }

  /**
   * Requests wait from now on, also with workers that come later, until `letRequests`.
   * @param timeoutMs what those get that are under way
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

  /** What has waited is answered, or closed unanswered; so is what comes from now on, also with workers that come later. */
  letRequests(be: 'answered' | 'closed'): void {
    this.#requests = be;
    for (const { child } of this.workers) child?.send({ kind: 'let-requests', be });
  }

  /** @param drainTimeoutMs what each gets to finish; what the table says when left out */
  async stop(cause: string, drainTimeoutMs?: number): Promise<void> {
    const stopped = this.slots.map((slot) => {
      const { config } = slot.deployment;
      return slot.stop(drainTimeoutMs ?? drainTimeoutMsOf(PROCESSES.worker, config), cause);
    });
    await Promise.all([...stopped, this.spare.discard(cause)]);
  }

  /** @returns those that a release has too, in start order */
  backgroundsOf({ backgrounds }: Deployment): readonly Slot[] {
    return this.#backgrounds.filter((slot) => backgrounds.some(({ name }) => name === slot.name));
  }

  /**
   * Has the background processes that a release has: those that it adds are started, those that it dropped are ended.
   * @returns the names of both
   * @throws Failure why one does not come up; those that were added are ended then, and none is dropped
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
    // Beside its state, which the slot tells of, and the beats, which change nothing.
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
