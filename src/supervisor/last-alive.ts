import { rmSync, statSync, writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';

const TOUCH_INTERVAL_MS = 1000;

/**
 * When a primary was last known alive, for the start after one that could not say so itself: a file that it touches each
 * second. States: constructed (what the one before has left is read) → touching (`begin`) → over (`end`: the file is gone,
 * since the primary ended by itself).
 */
export class LastAlive {
  /** When the primary before was last known alive, if it was killed or lost power; milliseconds since the epoch. */
  readonly killedAtMs: number | undefined;
  readonly #path: string;
  #timer: NodeJS.Timeout | undefined;

  /** @param dataDir absolute; the caller has its lock */
  constructor(dataDir: string) {
    this.#path = join(dataDir, 'run', 'alive');
    this.killedAtMs = statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs;
  }

  /** What a disk refuses is missing for the next start, and for nobody else. */
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
