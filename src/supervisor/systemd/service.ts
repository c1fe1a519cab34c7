import type { SystemSnapshot } from '../../messages/snapshot.ts';
import type { Logger } from '../../platform/log.ts';
import type { ServiceEnvironment } from './environment.ts';
import { Notifier } from './notifier.ts';

const STATUS_INTERVAL_MS = 1000;
/** How often it extends the manager's timeout in a start or a reload; a restore or a migration has its own limits. */
const EXTEND_INTERVAL_MS = 10_000;
const EXTENSION_MS = 60_000;
const USEC_PER_MS = 1000;

export interface ServiceOptions {
  readonly environment: ServiceEnvironment;
  /** The system as it is now. */
  readonly snapshot: () => SystemSnapshot;
  /** The longest time that a stop takes. */
  readonly stopTimeoutMs: number;
  readonly log: Logger;
}

/**
 * Tells the service manager about the system, if there is a manager. States and who moves them: starting (constructed)
 * → ready (`ready`) → reloading (`reloading`) → ready (`reloaded`); any → stopping (`stopping`). From the first `ready`
 * on the watchdog is fed, whatever the children do: it is for a primary whose event loop hangs. The primary heals
 * anything else better than a restart of the whole, which would begin anew what it waits for.
 */
export class Service {
  readonly #options: ServiceOptions;
  readonly #notifier: Notifier | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  #lastStatus = '';
  /** Extends the manager's timeout while that runs. */
  #extending: NodeJS.Timeout | undefined;

  constructor(options: ServiceOptions) {
    const { environment, log } = options;
    this.#options = options;
    if (environment.notifySocket === undefined) return;
    this.#notifier = new Notifier(environment.notifySocket, log);
    this.#extend();
    this.#every(STATUS_INTERVAL_MS, () => this.#tellStatus());
  }

  /** It serves: from now on the watchdog counts. */
  ready(): void {
    if (!this.#notifier) return;
    clearInterval(this.#extending);
    const status = describe(this.#options.snapshot());
    this.#lastStatus = status;
    this.#notifier.send('READY=1', `STATUS=${status}`);
    const { watchdogMs } = this.#options.environment;
    if (watchdogMs > 0) this.#every(watchdogMs / 2, () => this.#notifier?.send('WATCHDOG=1'));
  }

  async reloading(): Promise<void> {
    if (!this.#notifier) return;
    await this.#notifier.send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    this.#extend();
  }

  /** The reload is over, whether or not the new code came up. */
  async reloaded(): Promise<void> {
    clearInterval(this.#extending);
    await this.#notifier?.send('READY=1');
  }

  /** From now on only the stop is told, and how long it may take. */
  stopping(cause: string): void {
    for (const timer of [...this.#timers, this.#extending]) clearInterval(timer);
    const usec = Math.round(this.#options.stopTimeoutMs * USEC_PER_MS);
    this.#notifier?.send('STOPPING=1', `STATUS=stopping: ${cause}`, `EXTEND_TIMEOUT_USEC=${usec}`);
  }

  #every(intervalMs: number, run: () => void): void {
    this.#timers.push(setInterval(run, intervalMs).unref());
  }

  #extend(): void {
    clearInterval(this.#extending);
    const extend = () => this.#notifier?.send(`EXTEND_TIMEOUT_USEC=${EXTENSION_MS * USEC_PER_MS}`);
    this.#extending = setInterval(extend, EXTEND_INTERVAL_MS).unref();
  }

  #tellStatus(): void {
    const status = describe(this.#options.snapshot());
    if (status === this.#lastStatus) return;
    this.#lastStatus = status;
    this.#notifier?.send(`STATUS=${status}`);
  }
}

/** @returns the state in one line that does not change by itself */
function describe({ state, status, children, replication }: SystemSnapshot): string {
  const workers = children.filter(({ role }) => role === 'worker');
  const ready = workers.filter((child) => child.state === 'ready').length;
  const troubles = [...status.notReady, ...status.degraded].map(({ name }) => name);
  const wrong = troubles.length > 0 ? `; not well: ${[...new Set(troubles)].join(', ')}` : '';
  return `${state}: ${ready} of ${workers.length} workers, replication ${replication.state}${wrong}`;
}
