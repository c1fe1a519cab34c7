import { Worker } from 'node:worker_threads';

/** How often the main thread shows that it lives. */
const PULSE_INTERVAL_MS = 100;

/** Index of each shared word; watchdog-thread.js has the same. */
const PULSE = 0;
const ARMED = 1;

export interface WatchdogData {
  readonly shared: SharedArrayBuffer;
  readonly hangTimeoutMs: number;
  readonly parentPid: number;
}

export interface Watchdog {
  /** Begins to watch for hangs. Before, only the parent's life is watched: a start may block. */
  arm(): void;
}

/**
 * Starts the thread that ends this process when its main thread hangs or its parent is gone. It is a thread,
 * because nothing on a blocked main thread can notice that the channel to the parent closed.
 * States of the watch: parent only (start) → parent and pulse (`arm`).
 *
 * @param hangTimeoutMs how long the event loop may block
 * @param parentPid the process that this one ends with
 */
export function startWatchdog(hangTimeoutMs: number, parentPid: number): Watchdog {
  const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const words = new Int32Array(shared);
  const workerData: WatchdogData = { shared, hangTimeoutMs, parentPid };
  const thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), {
    workerData,
    // The thread is tiny; the defaults reserve far more memory than it needs.
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16, stackSizeMb: 1 },
    execArgv: [],
    stdin: false,
  });
  thread.unref();
  setInterval(() => Atomics.add(words, PULSE, 1), PULSE_INTERVAL_MS).unref();
  return { arm: () => void Atomics.store(words, ARMED, 1) };
}
