import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Progress } from '../src/testing/chaos/progress.ts';
import { makeTemporaryFolder, RunningSystem, removeFolder } from '../src/testing/running-system.ts';
import { nameOf, readFamily } from './support/cpu-time.ts';

const VICTIM = 'worker-1';
/** A worker that has lived this long is restarted without a back-off. */
const LIFE_MS = 700;
/** By then the spare has loaded, and each process has freed the memory of its start. */
const IDLE_AFTER_MS = 12_000;

export interface BootPlan {
  readonly workers: number;
  /** Starts of the whole system. */
  readonly starts: number;
  /** Restarts of one worker. */
  readonly restarts: number;
}

/** Memory of one process of the idle system. Shared pages count whole in rss, in proportion in pss. */
export interface ProcessMemory {
  readonly name: string;
  readonly rssBytes: number;
  readonly pssBytes: number;
}

export interface BootFigures {
  /** From the start of the command to the ready line, with an existing database. */
  readonly startMs: readonly number[];
  /** From the fork to ready to serve, as the primary measured it, with no spare to help. */
  readonly workerMs: readonly number[];
  readonly memory: readonly ProcessMemory[];
}

/**
 * Measures the time of a start and the memory of the idle system. The first start creates the database and compiles the
 * code, so it does not count.
 */
export async function measureBoot(
  plan: BootPlan,
  progress: Progress,
  signal: AbortSignal,
): Promise<BootFigures> {
  const folder = makeTemporaryFolder();
  const run = <Result>(env: NodeJS.ProcessEnv, use: (system: RunningSystem) => Promise<Result>) =>
    withSystem(folder, { WORKERS: String(plan.workers), ...env }, signal, use);
  try {
    progress.show('the first start');
    await run({}, async () => {});
    const startMs: number[] = [];
    let memory: ProcessMemory[] = [];
    while (startMs.length < plan.starts) {
      progress.show(`start ${startMs.length + 1} of ${plan.starts}`);
      const spawnedMs = performance.now();
      await run({}, async (system) => {
        startMs.push(performance.now() - spawnedMs);
        if (startMs.length < plan.starts) return;
        progress.show('letting it idle');
        await delay(IDLE_AFTER_MS, undefined, { signal });
        memory = memoryOf(system.pid);
      });
    }
    const workerMs = await run({ SPARE_WORKERS: '0' }, (system) =>
      restartWorker(system, plan.restarts, progress, signal),
    );
    return { startMs, workerMs, memory };
  } finally {
    removeFolder(folder);
  }
}

async function withSystem<Result>(
  folder: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  use: (system: RunningSystem) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const system = RunningSystem.launch(folder, env);
  const onAbort = () => system.kill('SIGKILL');
  signal.addEventListener('abort', onAbort);
  try {
    await system.ready();
    const result = await use(system);
    await system.stop();
    return result;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await system.destroy();
  }
}

async function restartWorker(
  system: RunningSystem,
  restarts: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<number[]> {
  const tookMs: number[] = [];
  while (tookMs.length < restarts) {
    progress.show(`restart ${tookMs.length + 1} of ${restarts}`);
    await delay(LIFE_MS, undefined, { signal });
    const from = system.lines.length;
    process.kill(system.pidOf(VICTIM), 'SIGKILL');
    const ready = await system.waitFor(({ msg }) => msg === `${VICTIM} ready`, from);
    tookMs.push(Number(ready.startMs));
  }
  return tookMs;
}

function memoryOf(primaryPid: number): ProcessMemory[] {
  return readFamily(primaryPid).map(({ pid }) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const bytes = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) * 1024;
    return { name: nameOf(pid) ?? String(pid), rssBytes: bytes('Rss'), pssBytes: bytes('Pss') };
  });
}
