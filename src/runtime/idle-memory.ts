const LOOK_INTERVAL_MS = 1000;
/** Share of one processor. A process that only beats takes a hundredth. */
const QUIET_SHARE_MAX = 0.04;
/** After so many quiet looks in a row, the process has nothing to do. */
const QUIET_LOOKS = 5;
/** Less work than this leaves less garbage than a collection costs. */
const WORK_MIN_MS = 150;

/**
 * Gives memory back when this process has nothing to do. Garbage from loading its code, or from a time of many
 * requests, would stay for hours, since V8 collects when it needs room, and an idle process needs none. States and who
 * moves them: working (`#look`: it used the processor) → quiet → collected, once → working.
 */
class IdleMemory {
  #usedMs = processorMs();
  /** Processor time since the last collection, including the loading of the code. */
  #workedMs = this.#usedMs;
  #quietLooks = 0;

  watch(): void {
    setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
  }

  #look(): void {
    const beforeMs = this.#usedMs;
    this.#usedMs = processorMs();
    const workedMs = this.#usedMs - beforeMs;
    const isQuiet = workedMs < LOOK_INTERVAL_MS * QUIET_SHARE_MAX;
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0;
    if (!isQuiet) this.#workedMs += workedMs;
    if (this.#quietLooks < QUIET_LOOKS || this.#workedMs < WORK_MIN_MS) return;
    this.#quietLooks = 0;
    this.#workedMs = 0;
    void collect().then(() => {
      this.#usedMs = processorMs();
    });
  }
}

/** Begins to watch this process; called once in its life. */
export function giveIdleMemoryBack(): void {
  new IdleMemory().watch();
}

/** Collects as when memory is short: the young generation shrinks too, and code that ran once is dropped. */
async function collect(): Promise<void> {
  try {
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    await session.post('HeapProfiler.collectGarbage');
    session.disconnect();
  } catch {
    // A Node.js without an inspector, or no thread for it: the memory stays.
  }
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
