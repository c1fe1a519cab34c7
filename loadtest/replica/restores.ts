import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runToEnd } from '../../src/testing/run-to-end.ts';
import { makeTemporaryFolder, removeFolder } from '../../src/testing/running-system.ts';
import { s3Environment, startS3Server } from '../../src/testing/s3-server.ts';
import { StoreProxy } from '../support/store-proxy.ts';
import { makeSource, type Source } from './source.ts';

const BIN = fileURLToPath(new URL('../../src/bin.js', import.meta.url));
const GB = 1024 ** 3;

/** How long one way to restore the database took. */
export interface RestoreTiming {
  readonly what: string;
  readonly from: 'folder' | 's3';
  readonly durationMs: number;
  readonly sizeBytes: number;
}

/** The cost of making a replica. */
export interface ReplicaCost {
  readonly puts: number;
  readonly uploadedBytes: number;
  readonly restoreGets: number;
}

export interface Restores {
  readonly timings: readonly RestoreTiming[];
  readonly cost: ReplicaCost;
}

export interface RestoresPlan {
  readonly sizeMb: number;
  /** Single commits after the snapshot, each shipped by itself. */
  readonly segments: number;
  /** Delay that the store adds to each request of a restore. */
  readonly latencyMs: number;
  readonly rounds: number;
}

/** @returns how long a restore of this size may take: 10 s, and 5 s for each GB */
export function restoreLimitMs(sizeBytes: number): number {
  return 10_000 + (5000 * sizeBytes) / GB;
}

/**
 * Restores a database with our command and with the stock binary alone, and copies it, on this machine.
 * @param show shows the progress
 */
export async function measureRestores(
  { sizeMb, segments, latencyMs, rounds }: RestoresPlan,
  signal: AbortSignal,
  show: (text: string) => void,
): Promise<Restores> {
  const folder = makeTemporaryFolder();
  const store = await startS3Server();
  const proxy = await StoreProxy.start(store.endpoint);
  const timings: RestoreTiming[] = [];
  try {
    const settings = { folder: {}, s3: s3Environment({ ...store, endpoint: proxy.endpoint }, 'restore') };
    const cost = { puts: 0, uploadedBytes: 0, restoreGets: 0 };
    for (const from of ['folder', 's3'] as const) {
      show(`making ${sizeMb} MB and its replica (${from})`);
      const source = await makeSource(folder, sizeMb, settings[from], segments, signal);
      cost.puts = proxy.counts.PUT ?? 0;
      cost.uploadedBytes = proxy.uploadedBytes;
      const getsBefore = proxy.counts.GET ?? 0;
      proxy.latencyMs = latencyMs;
      for (let round = 0; round < rounds; round += 1) {
        show(`restoring (${from}, ${round + 1} of ${rounds})`);
        timings.push(...(await restoreOnce(folder, source, settings[from], from, signal)));
      }
      cost.restoreGets = Math.round(((proxy.counts.GET ?? 0) - getsBefore) / rounds / 2);
      rmSync(source.config.DATA_DIR, { recursive: true });
    }
    return { timings, cost };
  } finally {
    await proxy.close();
    await store.destroy();
    removeFolder(folder);
  }
}

async function restoreOnce(
  folder: string,
  { path, binary, configPath, env, sizeBytes, config }: Source,
  settings: NodeJS.ProcessEnv,
  from: RestoreTiming['from'],
  signal: AbortSignal,
): Promise<RestoreTiming[]> {
  const output = join(folder, 'restored.db');
  const time = async (what: string, command: string, args: readonly string[], more: NodeJS.ProcessEnv) => {
    const startMs = performance.now();
    await runToEnd(command, command, args, { env: more, signal });
    const durationMs = performance.now() - startMs;
    if (statSync(output).size < sizeBytes / 2) throw new Error(`${what} gave only a part`);
    for (const suffix of ['', '-wal', '-shm']) rmSync(output + suffix, { force: true });
    return { what, from, durationMs, sizeBytes };
  };
  const { PATH, HOME } = process.env;
  const ours = { PATH, HOME, DATA_DIR: config.DATA_DIR, ...settings };
  const stock = ['restore', '-config', configPath, '-no-expand-env', '-o', output, path];
  return [
    ...(from === 'folder' ? [await time('cp', 'cp', ['--reflink=never', path, output], { PATH })] : []),
    await time('litestream restore alone', binary.path, stock, env),
    await time('npm run restore, checked', process.execPath, [BIN, 'restore', '--to', output], ours),
  ];
}
