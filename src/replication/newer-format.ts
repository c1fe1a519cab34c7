import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../platform/errors.ts';
import type { LitestreamBinary } from './binary.ts';
import { databasePath, sidecarPath } from './litestream-config.ts';
import type { DatabaseReplica } from './replica-context.ts';
import { listReplicaFiles, newestMs } from './restore/replica-files.ts';

/**
 * Refuses Litestream 0.3 where 0.5 has written to the replica since: 0.3 does not see those files, and would restore
 * the state from before the change. 0.5 reads both formats, and takes the newer state by itself.
 *
 * @throws Failure litestream_missing when the newer format has the newer state, replica_unreachable
 */
export async function refuseOlderFormat(source: DatabaseReplica): Promise<void> {
  const { binary, config } = source;
  if (binary.format === 'ltx') return;
  const { generations, ltx } = await listReplicaFiles(source);
  if (newestMs(ltx) <= Math.max(0, ...generations.map(({ storedMs }) => storedMs))) return;
  throw new Failure(
    'litestream_missing',
    `The replica ${config.replica.url} was written by Litestream 0.5 last, and ${binary.version} reads only what was there before. Set LITESTREAM_BIN to a Litestream of version 0.5.17 or later`,
  );
}

/**
 * @param dataDir the data folder; Litestream's files in it show which format it has used
 * @param databases names without `.db`
 * @returns what a change of Litestream's format means, for people; undefined when there is none
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
