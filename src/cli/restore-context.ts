import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, loadConfig } from '../config/config.ts';
import { databaseNames, isWithoutApp } from '../features.ts';
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

/** A replica as every command needs it that reads one by itself. */
export interface CommandReplica extends SystemReplica {
  /** The folder below the replica that is read; empty: that itself. */
  readonly epoch: string;
  /** What this one goes on from, by other systems: the newest first. */
  readonly earlier: readonly CommandReplica[];
  /** Systems that stand by for each other write it. */
  readonly isShared: boolean;
  /** As the settings name it: what has the record. */
  readonly root: Config;
}

/**
 * Reads the settings, finds Litestream, and writes it a configuration that lasts as long as `run`.
 * @throws Failure config_invalid, litestream_missing, or what `run` throws
 */
export async function withReplica<Result>(
  { installation }: Invocation,
  run: (replica: CommandReplica) => Promise<Result>,
): Promise<Result> {
  const { config, secrets } = loadConfig(process.env, installation);
  // What a command has to say it says itself.
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
      // Of its own: a running system's must not change under it.
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
 * Without the app only the replica tells which databases there are.
 * @param folders of its lineage: the newest one need not have all yet
 * @returns the chassis' own first
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

/** @returns a signal that Ctrl-C or SIGTERM aborts, so that a command tidies up before it ends */
export function abortOnSignals(): AbortSignal {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort());
  return abort.signal;
}
