import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';
import type { Background } from '../runtime/background.ts';
import type { Child } from './child.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Places } from './places.ts';
import type { ProcessFactory } from './process-factory.ts';
import type { Slot } from './slot.ts';
import { Spare } from './spare.ts';

export interface ServingTierOptions {
  readonly config: Config;
  readonly backgrounds: readonly Background[];
  readonly factory: ProcessFactory;
  readonly places: Places;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  /** Where the system listens; known when this tier starts. */
  readonly url: () => string;
  /** A worker can be given connections. */
  readonly onReady: (child: Child) => void;
  readonly onChange: () => void;
  /** Every worker's breaker is open. */
  readonly onHopeless: () => void;
}

/**
 * Everything that uses the data and may go at any time: the workers, the spare ones, and what features run beside
 * them. It has no states but its slots'.
 */
export class ServingTier {
  readonly workers: readonly Slot[];
  readonly backgrounds: readonly Slot[];
  readonly spare: Spare;
  readonly #options: ServingTierOptions;

  constructor(options: ServingTierOptions) {
    const { config, backgrounds, factory, places, log, url, onChange } = options;
    this.#options = options;
    this.spare = new Spare({
      count: config.SPARE_WORKERS,
      spawn: (name) => factory.worker(name, true),
      isPlaceStarting: () => this.workers.some(({ childState }) => childState === 'starting'),
      log,
    });
    this.workers = Array.from({ length: config.WORKERS }, (_, index) =>
      this.#makeWorker(`worker-${index + 1}`),
    );
    this.backgrounds = backgrounds.map((background) => {
      const slot = places.make(background.name, 'overlap', () => factory.background(background, url()));
      // Beside its state, which the slot tells of, and the beats, which change nothing.
      slot.on('child', (child) => {
        child.on('message', ({ kind }) => {
          if (kind === 'report') onChange();
        });
      });
      return slot;
    });
  }

  /** In start order. */
  get slots(): readonly Slot[] {
    return [...this.workers, ...this.backgrounds];
  }

  /** Has what serves load its code while the data tier is brought up. */
  expect(): void {
    this.#options.factory.expect(this.workers.map(({ name }) => name));
  }

  /**
   * Resolves when every worker is ready. What runs beside them is started then: nobody who waits to be served shall
   * wait for it, and when it does not come up, `/ready` tells.
   * @throws Failure the reason that one cannot start
   */
  async start(): Promise<void> {
    for (const slot of this.workers) slot.start();
    await Promise.all(this.workers.map((worker) => worker.ready()));
    for (const slot of this.backgrounds) slot.start();
    this.keepSpare();
  }

  async stop(drainTimeoutMs: number, cause: string): Promise<void> {
    const stopped = this.slots.map((slot) => slot.stop(drainTimeoutMs, cause));
    await Promise.all([...stopped, this.spare.discard(cause)]);
  }

  /** From now on spares are kept, as many as are wanted. */
  keepSpare(): void {
    if (!this.#options.lifecycle.isEnding) this.spare.keep();
  }

  #makeWorker(name: string): Slot {
    const { factory, places, onReady } = this.#options;
    const slot = places.make(name, 'overlap', () => this.spare.take(name) ?? factory.worker(name, false));
    slot.on('child', (child) => child.once('ready', () => onReady(child)));
    slot.on('change', () => {
      this.#checkHopeless();
      this.spare.placeChanged();
    });
    return slot;
  }

  /** When every worker's breaker is open, nothing serves, and a start from clean is the better try. */
  #checkHopeless(): void {
    const { lifecycle, onHopeless } = this.#options;
    if (lifecycle.isServing && this.workers.every((worker) => worker.state === 'broken')) onHopeless();
  }
}
