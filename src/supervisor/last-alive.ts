import { rmSync, statSync, writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';

const TOUCH_INTERVAL_MS = 1000;

/**
 * Tells the next start when a primary was last alive that could not say so itself: a file that it touches each second.
 * States: constructed (the previous primary's file is read) → touching (`begin`) → over (`end`: the file is removed,
 * since the primary ended by itself).
 */
export class LastAlive {
  /** When the previous primary was last known alive, if it was killed or lost power; milliseconds since the epoch. */
  readonly killedAtMs: number | undefined;
  readonly #path: string;
  #timer: NodeJS.Timeout | undefined;

  /** @param dataDir absolute; the caller has its lock */
  constructor(dataDir: string) {
    this.#path = join(dataDir, 'run', 'alive');
    this.killedAtMs = statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs;
  }

  /** Where the disk refuses the file, only the next start misses it. */
  begin(): void {
    try {
      writeFileSync(this.#path, '', { mode: 0o600 });
      const now = new Date();
      utimes(this.#path, now, now).catch(() => {});
    } catch {
      return;
    }
    this.#timer = setInterval(() => {
      const now = new Date();
      utimes(this.#path, now, now).catch(() => {});
    }, TOUCH_INTERVAL_MS).unref();
  }

  end(): void {
    clearInterval(this.#timer);
    rmSync(this.#path, { force: true });
  }
}
