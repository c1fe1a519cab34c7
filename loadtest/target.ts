import { join } from 'node:path';
import { readEnd } from './support/log-tail.ts';
import { LOG_FILE, makeTemporaryFolder, RunningSystem, removeFolder } from './support/running-system.ts';

const STOP_TIMEOUT_MS = 30_000;
const LOG_END_BYTES = 4000;

/** A server under load. */
export interface Target {
  /** Base of the API. */
  readonly url: string;
  /** Its first process; the others descend from it. */
  readonly pid: number;
  /**
   * Ends it and removes what it left.
   * @param gracefully whether it may take its time
   * @throws Error when it did not end as it should
   */
  stop(gracefully: boolean): Promise<void>;
}

/**
 * Runs a target for as long as `use` takes, and ends it whatever happens.
 * @param signal when it fires, the target ends at once
 */
export async function withTarget<Result>(
  start: () => Promise<Target>,
  signal: AbortSignal,
  use: (target: Target) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const target = await start();
  let isDone = false;
  try {
    signal.throwIfAborted();
    const result = await use(target);
    isDone = true;
    return result;
  } finally {
    await target.stop(isDone);
  }
}

/**
 * Starts this system with everything on (request log, Litestream, supervision) in a folder of its own.
 * @param workers number of its HTTP processes
 */
export async function startSystem(workers: number, signal: AbortSignal): Promise<Target> {
  const folder = makeTemporaryFolder();
  const system = RunningSystem.launch(folder, { WORKERS: String(workers), LOG_LEVEL: 'info' }, 'file');
  const end = async () => {
    await system.destroy();
    removeFolder(folder);
  };
  const onAbort = () => system.kill('SIGKILL');
  signal.addEventListener('abort', onAbort);
  try {
    await system.ready();
  } catch (error) {
    await end();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  return {
    url: system.url,
    pid: system.pid,
    async stop(gracefully) {
      try {
        if (gracefully) await stopInTime(system);
      } finally {
        await end();
      }
    },
  };
}

async function stopInTime(system: RunningSystem): Promise<void> {
  const timer = setTimeout(() => system.kill('SIGKILL'), STOP_TIMEOUT_MS);
  const { code, signal } = await system.stop();
  clearTimeout(timer);
  if (code === 0) return;
  const log = readEnd(join(system.dataDir, LOG_FILE), LOG_END_BYTES);
  throw new Error(`the system ended with ${signal ?? `code ${code}`}\n${log}${system.stderr}`);
}
