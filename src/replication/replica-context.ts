import type { Config } from '../config/config.ts';
import { pickSecrets, REPLICA_SECRETS } from '../config/secrets.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { LitestreamBinary } from './binary.ts';
import { litestreamEnv } from './litestream.ts';

/**
 * How long a store may send nothing, and Litestream make no progress. A store that answers keeps sending. Litestream
 * itself would wait for ever for one that took the connection and says nothing.
 */
export const STALL_TIMEOUT_MS = 2 * 60_000;

/** A replica, and what it takes to have Litestream read it. */
export interface ReplicaContext {
  readonly config: Config;
  readonly binary: LitestreamBinary;
  /** What `writeLitestreamConfig` returned. */
  readonly configPath: string;
  /** What `litestreamEnv` returned: with the credentials, or with what says where to get them. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** A standby's mirror, which may have files of the replica; those that it lacks come from the replica. */
  readonly mirrorDir?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** STALL_TIMEOUT_MS by default. */
  readonly stallTimeoutMs?: number | undefined;
}

/** The replica of all databases. */
export interface SystemReplica extends ReplicaContext {
  /** Names without `.db`. */
  readonly databases: readonly string[];
}

/** The replica of one database. */
export interface DatabaseReplica extends ReplicaContext {
  /** Its name without `.db`. Its file need not exist. */
  readonly database: string;
}

/** The input of a process that reads the replica, from the primary; the credentials come in its environment. */
export interface ReplicaInput {
  readonly litestream: LitestreamBinary;
  readonly litestreamConfigPath: string;
  readonly databases: readonly string[];
  readonly mirrorDir?: string | undefined;
}

/** @returns the replica for such a process */
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
