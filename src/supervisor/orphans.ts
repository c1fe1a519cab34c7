import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { DATA_DIR_VARIABLE } from './fork.ts';

const GONE_TIMEOUT_MS = 5000;
const GONE_POLL_MS = 10;

/**
 * Kills what a killed primary left behind: every process that has this data folder in its environment. The caller holds
 * the folder's lock, so none of them belongs to a living system. Without /proc this finds none, and they have to end by
 * themselves.
 *
 * @param dataDir absolute
 * @throws Failure data_dir_locked when a process does not end
 */
export async function endOrphans(dataDir: string, log: Logger): Promise<void> {
  const orphans = findOrphans(dataDir);
  for (const pid of orphans) {
    log.warn({ orphanPid: pid }, `ending process ${pid}, left behind by a killed primary`);
    signal(pid, 'SIGKILL');
  }
  const deadlineMs = performance.now() + GONE_TIMEOUT_MS;
  for (const pid of orphans) {
    while (carries(pid, dataDir)) {
      if (performance.now() > deadlineMs) {
        throw new Failure(
          'data_dir_locked',
          `Process ${pid} of a killed primary does not end; end it by hand`,
        );
      }
      // It is no child of this process, so no event tells of its end.
      await delay(GONE_POLL_MS);
    }
  }
}

function findOrphans(dataDir: string): number[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return [];
  }
  return entries
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && carries(pid, dataDir));
}

/** A process of another user, or one that has just ended, counts as not carrying it. */
function carries(pid: number, dataDir: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .includes(`${DATA_DIR_VARIABLE}=${dataDir}`);
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself since it was found.
  }
}
