import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { stopTimeoutMsOf } from '../supervisor/stop-deadline.ts';
import { readArguments } from './arguments.ts';
import { askPrimary } from './control-client.ts';
import { Progress } from './progress.ts';

const USAGE = `Usage: ninelives stop [--keep]

  Stops the running system: requests under way are answered, the last commit is shipped, then it ends. Waits until it
  has. A service manager that restarts what ends by itself leaves this one alone, since it exits 0.

  --keep  with FAILOVER=lease: the other system does not take over at once, so that this one leads again when it is started
          within LEASE_TTL_MS`;
const OPTIONS = {
  keep: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;
const LOOK_INTERVAL_MS = 50;
/** Time for its last output, beyond its own deadline. */
const EXIT_MARGIN_MS = 5000;

/**
 * Stops the running system.
 * @param args what follows the command's name
 * @throws Failure not_ready when none runs, or when it has not ended in time; usage when it has nothing to keep
 */
export async function stop(args: readonly string[], { installation }: Invocation): Promise<void> {
  const { keep, help } = readArguments(args, OPTIONS, USAGE);
  if (help) {
    console.log(USAGE);
    return;
  }
  const { config } = loadConfig(process.env, installation);
  const { pid } = (await askPrimary(config.DATA_DIR, keep ? ['stop', 'keep'] : ['stop'])) as { pid: number };
  const progress = new Progress('stopping');
  const timeoutMs = stopTimeoutMsOf(config) + EXIT_MARGIN_MS;
  const deadlineMs = performance.now() + timeoutMs;
  try {
    while (isAlive(pid)) {
      if (performance.now() > deadlineMs) {
        throw new Failure(
          'not_ready',
          `Process ${pid} has not ended within ${timeoutMs} ms; it goes on stopping`,
        );
      }
      // It is no child of this process, so no event tells of its end.
      await delay(LOOK_INTERVAL_MS);
    }
  } finally {
    progress.end();
  }
  console.log('stopped');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
