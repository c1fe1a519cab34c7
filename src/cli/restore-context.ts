import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, loadConfig } from '../config/config.ts';
import { databaseNames, isWithoutApp } from '../features/features.ts';
import { Failure } from '../platform/errors.ts';
import { createLog } from '../platform/log.ts';
import { findLitestream } from '../replication/binary.ts';
import { readLineage, replicaIn } from '../replication/failover/lineage.ts';
import { litestreamEnv } from '../replication/litestream.ts';
import { renderLitestreamConfig } from '../replication/litestream-config.ts';
import type { SystemReplica } from '../replication/replica-context.ts';
import { clarified } from '../replication/restore-failure.ts';
import { databasesIn } from '../replication/store/databases-in.ts';
import { replicaUnreachable } from '../replication/store/unreachable.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';

/** A replica, as commands need it that read one themselves. */
export interface CommandReplica extends SystemReplica {
  /** The folder below the replica that is read; empty: the replica itself. */
  readonly epoch: string;
  /** The folders that this one goes on from, by other systems; the newest first. */
  readonly earlier: readonly CommandReplica[];
  /** Whether two systems that stand by for each other write it. */
  readonly isShared: boolean;
  /** The configuration with the replica that the settings name, which has the record. */
  readonly root: Config;
}

/**
 * Reads the settings, finds Litestream, and writes a configuration for it that exists while `run` lasts.
 * @throws Failure config_invalid, litestream_missing, or what `run` throws
 */
export async function withReplica<Result>(
  { installation }: Invocation,
  run: (replica: CommandReplica) => Promise<Result>,
): Promise<Result> {
  const { config, secrets } = loadConfig(process.env, installation);
  // A command prints its own messages.
  const log = createLog('command', 'silent', 'json');
  const binary = await findLitestream({
    litestreamBin: config.LITESTREAM_BIN,
  });
  const folder = mkdtempSync(join(tmpdir(), 'ninelives-'));
  try {
    const rootConfigPath = join(folder, 'litestream.yml');
    const rootEnv = litestreamEnv(process.env, secrets, { config, configPath: rootConfigPath });
    const { folders, isShared } = await readLineage(config, rootEnv);
    const databases = isWithoutApp ? await databasesOf(config, folders, rootEnv) : databaseNames();
    const contextIn = (epoch: string): CommandReplica => {
      // A configuration of its own: that of a running system must not change.
      const configPath = join(folder, `litestream${epoch && `-${epoch}`}.yml`);
      const there = { ...config, replica: replicaIn(config.replica, epoch) };
      writeFileSync(configPath, renderLitestreamConfig(there, databases, { format: binary.format }), {
        mode: 0o600,
      });
      const env = litestreamEnv(process.env, secrets, { config: there, configPath });
      return {
        config: there,
        databases,
        binary,
        configPath,
        env,
        log,
        epoch,
        earlier: [],
        isShared: false,
        root: config,
      };
    };
    const [newest, ...earlier] = folders.map(contextIn);
    return await run({ ...(newest as CommandReplica), earlier, isShared });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Without the app, only the replica tells which databases there are.
 * @param folders of the replica's lineage: the newest one need not have all databases yet
 * @returns the chassis' own databases first
 * @throws Failure replica_empty where it has none, replica_unreachable
 */
async function databasesOf(
  config: Config,
  folders: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  const found = new Set<string>();
  try {
    for (const folder of folders) {
      const there = { ...config, replica: replicaIn(config.replica, folder) };
      for (const name of await databasesIn(there, env)) found.add(name);
    }
  } catch (error) {
    throw clarified(replicaUnreachable(config.replica, error));
  }
  if (found.size === 0)
    throw new Failure('replica_empty', `The replica ${config.replica.url} has no database`);
  const own = databaseNames();
  return [...own.filter((name) => found.has(name)), ...[...found].filter((name) => !own.includes(name))];
}

/** @returns a signal that Ctrl-C and SIGTERM abort, so that a command cleans up before it ends */
export function abortOnSignals(): AbortSignal {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort());
  return abort.signal;
}
