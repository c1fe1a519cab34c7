import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeTemporaryFolder, removeFolder } from '../src/testing/running-system.ts';
import { startKeyedSystem, startSystem, type Target } from './target.ts';

const START_TIMEOUT_MS = 15_000;

/** A server in the comparison. */
export interface Peer {
  readonly name: string;
  readonly title: string;
  /** The failure that an acknowledged write survives. */
  readonly survives: string;
  /** Names of the scenarios that it can serve. */
  readonly scenarios: readonly string[];
  /** @param env additional variables for its processes */
  readonly start: (workers: number, signal: AbortSignal, env: NodeJS.ProcessEnv) => Promise<Target>;
}

/** Every server in the comparison, in the order of the table. */
export const peers: readonly Peer[] = [
  {
    name: 'http',
    title: 'bare node:http cluster, a fixed answer',
    survives: '(no data)',
    scenarios: ['read'],
    start: (workers, signal, env) => startPeer('bare-http.ts', { ...env, WORKERS: String(workers) }, signal),
  },
  {
    name: 'koa',
    title: 'bare Koa cluster, a fixed answer',
    survives: '(no data)',
    scenarios: ['read'],
    start: (workers, signal, env) => startPeer('bare-koa.ts', { ...env, WORKERS: String(workers) }, signal),
  },
  {
    name: 'naive-full',
    title: 'naive: every worker writes SQLite, FULL',
    survives: 'process kill, power loss',
    scenarios: ['read', 'short-read', 'write'],
    start: (workers, signal, env) =>
      startPeer('naive.ts', { ...env, WORKERS: String(workers), SYNCHRONOUS: 'FULL' }, signal),
  },
  {
    name: 'naive-normal',
    title: 'naive: every worker writes SQLite, NORMAL',
    survives: 'process kill',
    // Its reads equal those of the peer above.
    scenarios: ['write'],
    start: (workers, signal, env) =>
      startPeer('naive.ts', { ...env, WORKERS: String(workers), SYNCHRONOUS: 'NORMAL' }, signal),
  },
  {
    name: 'ours',
    title: 'this system, everything on',
    survives: 'process kill, power loss; a replica follows',
    scenarios: ['read', 'short-read', 'write'],
    start: (workers, signal, env) => startSystem(workers, signal, { env }),
  },
  {
    name: 'ours-keyed',
    title: 'this system, everything on, with a key',
    survives: 'process kill, power loss; a replica follows',
    scenarios: ['read'],
    start: startKeyedSystem,
  },
];

/** Starts the server that throughput is compared with. */
export async function startBaseline(workers: number, signal: AbortSignal): Promise<Target> {
  return await startPeer('bare-http.ts', { WORKERS: String(workers) }, signal);
}

async function startPeer(file: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Target> {
  const folder = makeTemporaryFolder();
  const peer = spawn(process.execPath, [new URL(`./peers/${file}`, import.meta.url).pathname], {
    cwd: folder,
    // A process group of its own: Ctrl-C must not end it under load. It ends with this process, by its IPC channel.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH, DATABASE: join(folder, 'peer.db'), ...env },
  });
  const ended = new Promise<void>((resolve) => peer.once('close', () => resolve()));
  const stop = async () => {
    // Kill the whole group at once: a worker that is just starting would complain that its primary is gone.
    if (peer.pid !== undefined && peer.exitCode === null) process.kill(-peer.pid, 'SIGKILL');
    await ended;
    removeFolder(folder);
  };
  const { promise: ready, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => reject(new Error(`${file} is not ready`)), START_TIMEOUT_MS);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  peer.once('error', reject);
  peer.once('exit', () => reject(new Error(`${file} ended`)));
  createInterface({ input: peer.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    if (line.startsWith('ready ')) resolve(line.slice('ready '.length));
  });
  try {
    return { url: await ready, pid: peer.pid!, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
