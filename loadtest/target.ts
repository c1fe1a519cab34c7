import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readEvents } from '../src/supervisor/events.ts';
import { readEnd } from '../src/testing/log-tail.ts';
import { LOG_FILE, makeTemporaryFolder, RunningSystem, removeFolder } from '../src/testing/running-system.ts';
import type { Mark } from './measurement.ts';

const STOP_TIMEOUT_MS = 30_000;
const LOG_END_BYTES = 4000;
const BIN = new URL('../src/bin.js', import.meta.url).pathname;
/** A rate limit in requests a minute that is counted but never reached. */
const UNREACHED_LIMIT = 1_000_000_000;

/** A server under load. */
export interface Target {
  /** Base of the API. */
  readonly url: string;
  /** Its first process, the ancestor of the others; undefined when unknown. */
  readonly pid: number | undefined;
  /** The headers that it needs. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Its data folder, if it is this system. */
  readonly dataDir?: string;
  /** @returns its events between two times, in milliseconds since the epoch */
  readonly events?: (fromMs: number, toMs: number) => Mark[];
  /**
   * Ends it and removes its files.
   * @param gracefully by a stop, not by a kill
   * @throws Error when it did not end properly
   */
  stop(gracefully: boolean): Promise<void>;
}

/** This system, on this machine. */
export interface SystemTarget extends Target {
  readonly pid: number;
  readonly dataDir: string;
}

/**
 * Runs a target until `use` has ended, and ends it in any case.
 * @param signal when it fires, the target ends at once
 */
export async function withTarget<Result, Kind extends Target>(
  start: () => Promise<Kind>,
  signal: AbortSignal,
  use: (target: Kind) => Promise<Result>,
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

/** @returns a running server, which is not ended here and whose processes are unknown */
export function existingTarget(url: string): Target {
  return { url: url.replace(/\/+$/, ''), pid: undefined, stop: async () => {} };
}

/** How a system differs from the default. */
export interface SystemOptions {
  /** Settings beside the number of workers. */
  readonly env?: NodeJS.ProcessEnv;
  /** Its data folder, which then stays; by default a new folder, which is removed with it. */
  readonly dataDir?: string;
}

/**
 * Starts this system with everything on (request log, Litestream, supervision) in a folder of its own.
 * @param workers the number of its workers
 */
export async function startSystem(
  workers: number,
  signal: AbortSignal,
  { env, dataDir }: SystemOptions = {},
): Promise<SystemTarget> {
  const folder = dataDir ?? makeTemporaryFolder();
  const settings = { WORKERS: String(workers), LOG_LEVEL: 'info', ...env };
  const system = RunningSystem.launch(folder, settings, 'file');
  const end = async () => {
    await system.destroy();
    if (dataDir === undefined) removeFolder(folder);
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
    dataDir: folder,
    events: (fromMs, toMs) => marksOf(folder, fromMs, toMs),
    async stop(gracefully) {
      try {
        if (gracefully) await stopInTime(system);
      } finally {
        await end();
      }
    },
  };
}

/** The same, but each request has to send a key, which reaches the alerts of every owner. */
export async function startKeyedSystem(
  workers: number,
  signal: AbortSignal,
  env: NodeJS.ProcessEnv,
): Promise<Target> {
  const settings = { ...env, RATE_LIMIT_KEY_PER_MINUTE: String(UNREACHED_LIMIT) };
  const system = await startSystem(workers, signal, { env: settings });
  try {
    const args = [BIN, 'keys', 'create', '--name', 'loadtest', '--scope', 'write', '--owner', ''];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { PATH: process.env.PATH, DATA_DIR: system.dataDir },
      signal,
    });
    return { ...system, headers: { Authorization: `Bearer ${stdout.trim()}` } };
  } catch (error) {
    await system.stop(false);
    throw error;
  }
}

function marksOf(dataDir: string, fromMs: number, toMs: number): Mark[] {
  return readEvents(dataDir)
    .filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
    .map(({ atMs, kind, child, cause }) => {
      return { atMs: atMs - fromMs, text: `${child === null ? '' : `${child}: `}${kind} (${cause})` };
    });
}

async function stopInTime(system: RunningSystem): Promise<void> {
  const timer = setTimeout(() => system.kill('SIGKILL'), STOP_TIMEOUT_MS);
  const { code, signal } = await system.stop();
  clearTimeout(timer);
  if (code === 0) return;
  const log = readEnd(join(system.dataDir, LOG_FILE), LOG_END_BYTES);
  throw new Error(`the system ended with ${signal ?? `code ${code}`}\n${log}${system.stderr}`);
}
