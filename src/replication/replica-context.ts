import type { Config } from '../config/config.ts';
import { pickSecrets, REPLICA_SECRETS } from '../config/secrets.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { LitestreamBinary } from './binary.ts';
import { litestreamEnv } from './litestream.ts';

/**
 * How long a store may say nothing, and Litestream stand still. A store that answers sends something at all times;
 * Litestream itself would wait for ever for one that took the connection and says nothing.
 */
export const STALL_TIMEOUT_MS = 2 * 60_000;

/** A replica, and what it takes to have Litestream read it. */
export interface ReplicaContext {
  readonly config: Config;
  readonly binary: LitestreamBinary;
  /** What `writeLitestreamConfig` returned. */
  readonly configPath: string;
  /** What `litestreamEnv` returned: with the credentials, or what tells where they are to be had. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** A folder that may have files of the replica, as a standby mirrors them; what it has not comes from the replica. */
  readonly mirrorDir?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the store may say nothing, and Litestream stand still. */
  readonly stallTimeoutMs?: number | undefined;
}

/** That of all databases. */
export interface SystemReplica extends ReplicaContext {
  /** Names without `.db`. */
  readonly databases: readonly string[];
}

/** That of one database. */
export interface DatabaseReplica extends ReplicaContext {
  /** Its name without `.db`. Its file need not exist. */
  readonly database: string;
}

/** What the primary gives a process that reads the replica; the credentials come in its environment. */
export interface ReplicaInput {
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
  readonly mirrorDir?: string | undefined;
}

/** @returns the replica as such a process has it */
export function replicaOf(
  { config, log }: Pick<Runtime, 'config' | 'log'>,
  input: ReplicaInput,
): SystemReplica {
  const { litestream: binary, litestreamConfigPath: configPath, databases, mirrorDir } = input;
  const secrets = pickSecrets(process.env, REPLICA_SECRETS);
  return {
    config,
    binary,
    configPath,
    databases,
    env: litestreamEnv(process.env, secrets, { config, configPath }),
    log,
    mirrorDir,
  };
}
