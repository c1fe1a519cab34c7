import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readHistory } from '../../../src/replication/history/history.ts';
import { RunningSystem, removeFolder } from '../../../src/testing/running-system.ts';
import { DurableWriters } from '../clients/durable-writers.ts';
import type { Stage } from '../stage.ts';
import type { Ledger } from './ledger.ts';

const LANES = 2;
/** To see that the owner lives, a start waits until the owner has renewed its record. */
const REFUSED_TIMEOUT_MS = 120_000;
const READY_TIMEOUT_MS = 120_000;
/** The data folder or the replica belongs to another system. */
const EXIT_OWNED = 73;

/** Where a second system is started, with the same settings and a data folder of its own. */
interface Place {
  readonly stage: Stage;
  readonly ledger: Ledger;
  readonly prefix: string;
}

/**
 * Starts a second system beside the running one.
 * @throws Error when the second one is not refused
 */
export async function startBeside({ stage }: Place): Promise<void> {
  const second = launch(stage);
  try {
    const timeout = AbortSignal.timeout(REFUSED_TIMEOUT_MS);
    const late = new Promise<undefined>((resolve) => {
      timeout.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    const ended = await Promise.race([second.ended(), late]);
    if (ended?.code !== EXIT_OWNED)
      throw new Error(`a second system was not refused (${ended?.code}): ${second.transcript()}`);
  } finally {
    await end(second);
  }
}

/** Has a second system take the replica while the first is down, write, and stop. */
export async function startInstead({ stage, ledger, prefix }: Place): Promise<void> {
  const second = launch(stage);
  try {
    await second.ready(READY_TIMEOUT_MS);
    const path = join(second.dataDir, 'main.db');
    const fromOrdinal = (readHistory(path).last?.ordinal ?? 0) + 1;
    const clients = new DurableWriters({ url: second.url, lanes: LANES, prefix: `${prefix}-second` });
    try {
      await stage.until(
        () => clients.writes.some(({ promise }) => promise === 'replicated'),
        'a write of the second system is acknowledged as replicated',
        READY_TIMEOUT_MS,
      );
    } finally {
      await clients.stop();
    }
    const { code } = await second.stop();
    if (code !== 0) throw new Error(`the second system's stop ended with ${code}: ${second.transcript()}`);
    ledger.add(clients.writes, fromOrdinal, readHistory(path).last?.ordinal ?? 0);
  } finally {
    await end(second);
  }
}

function launch(stage: Stage): RunningSystem {
  const { root, nodePath, env } = stage.invocation;
  const dataDir = join(stage.folder, 'second');
  mkdirSync(dataDir);
  return RunningSystem.launch(dataDir, { LOG_LEVEL: 'info', ...env, DATA_DIR: dataDir }, 'pipe', {
    root,
    nodePath,
  });
}

async function end(second: RunningSystem): Promise<void> {
  await second.destroy();
  removeFolder(second.dataDir);
}
