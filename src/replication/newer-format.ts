import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import type { LitestreamBinary } from './binary.ts';
import { databasePath, sidecarPath } from './litestream-config.ts';
import { openStore } from './store/open.ts';
import { replicaUnreachable } from './store/unreachable.ts';

/** How the names of the files end that each version writes. */
const ENDINGS = { wal: '.lz4', ltx: '.ltx' } as const;

/** When the newest file of each was stored, in milliseconds since the epoch; 0 for none. */
type Newest = Record<keyof typeof ENDINGS, number>;

/**
 * Litestream 0.3 does not see what a 0.5 has written beside its own files, and would restore the state of before the
 * change. A 0.5 reads both, and takes the newer by itself.
 *
 * @param env holds the credentials
 * @throws Failure litestream_missing when the newer format has the newer state, replica_unreachable
 */
export async function refuseOlderFormat(
  { format, version }: LitestreamBinary,
  config: Config,
  databaseFile: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  if (format === 'ltx') return;
  const database = basename(databaseFile, '.db');
  const newest = await newestOf(config, database, env);
  if (newest.ltx <= newest.wal) return;
  throw new Failure(
    'litestream_missing',
    `The replica ${config.replica.url} was written by Litestream 0.5 last, and ${version} reads only what was there before. Set LITESTREAM_BIN to a Litestream of version 0.5.17 or later`,
  );
}

/**
 * @param dataDir whose databases have been replicated before, or not
 * @param databases names without `.db`
 * @returns what a change of Litestream's version means, in words; undefined when there is none
 */
export function describeChange(
  { format, version }: LitestreamBinary,
  dataDir: string,
  databases: readonly string[],
): string | undefined {
  const has = (folder: string) =>
    databases.some((database) => existsSync(join(sidecarPath(databasePath(dataDir, database)), folder)));
  const [own, other] = format === 'ltx' ? ['ltx', 'generations'] : ['generations', 'ltx'];
  if (has(own) || !has(other)) return undefined;
  return format === 'ltx'
    ? `Litestream ${version} goes on where a 0.3 was: it ships everything once in its own format, and leaves in the replica what the other wrote`
    : `Litestream ${version} goes on where a 0.5 was: it begins a new generation with everything in it, and leaves in the replica what the other wrote`;
}

async function newestOf(config: Config, database: string, env: NodeJS.ProcessEnv): Promise<Newest> {
  const newest: Newest = { wal: 0, ltx: 0 };
  try {
    for await (const { path, storedMs } of openStore({ config, env }).files(database)) {
      for (const format of ['wal', 'ltx'] as const) {
        if (path.endsWith(ENDINGS[format])) newest[format] = Math.max(newest[format], storedMs);
      }
    }
  } catch (error) {
    throw replicaUnreachable(config.replica, error);
  }
  return newest;
}
