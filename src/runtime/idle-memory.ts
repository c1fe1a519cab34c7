const LOOK_INTERVAL_MS = 1000;
/** Of one processor. A process that only beats takes a hundredth. */
const QUIET_SHARE_MAX = 0.04;
/** So many quiet looks in a row, and it has nothing to do. */
const QUIET_LOOKS = 5;
/** Less work than this leaves less behind than a collection costs. */
const WORK_MIN_MS = 150;

/**
 * Gives memory back when this process has nothing to do: what loading its code, or a time of many requests, has left
 * behind would stay for hours, since V8 collects when it needs room, and an idle process needs none. States and who moves
 * them: working (`#look`: it used the processor) → quiet → collected, once → working.
 */
class IdleMemory {
  #usedMs = processorMs();
  /** Since the last collection; loading counts. */
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

/** Begins to watch this process; once in its life. */
export function giveIdleMemoryBack(): void {
  new IdleMemory().watch();
}

/** As when the system is short of memory: also the young generation shrinks, and code that ran once goes. */
async function collect(): Promise<void> {
  try {
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    await session.post('HeapProfiler.collectGarbage');
    session.disconnect();
  } catch {
    // A Node.js without an inspector, or without a thread for it: the memory stays.
  }
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
