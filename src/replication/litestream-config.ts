import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Replica } from '../config/replica-url.ts';
import { Failure } from '../platform/errors.ts';
import { isDiskFull } from '../platform/free-disk.ts';
import type { ReplicaFormat } from './binary.ts';
import { isPathStyle } from './store/reach.ts';

const TEMPLATES: Readonly<Record<ReplicaFormat, string>> = {
  wal: 'litestream.yml',
  ltx: 'litestream-ltx.yml',
};
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const MONITOR_INTERVAL_MIN_MS = 5;
const MONITOR_INTERVAL_MAX_MS = SECOND_MS;
/** A commit gets into the replica within REPLICA_SYNC_INTERVAL_MS: 1/10 of that to be noticed, 3/4 to be uploaded. */
const MONITOR_SHARE = 1 / 10;
const SYNC_SHARE = 3 / 4;
/** Limits the segments of one WAL: a restore opens all of them at once. */
const SEGMENTS_MAX = 100;
/** A WAL that a long reader has let grow is checkpointed at most this long after the reader has ended. */
const CHECKPOINT_INTERVAL_MAX_MS = 30 * SECOND_MS;

type Values = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LitestreamConfigOptions {
  /** Where Litestream serves its metrics, `host:port`; without it there are none. */
  readonly metricsAddress?: string;
  /** The format of the Litestream that reads the configuration; `wal` by default. */
  readonly format?: ReplicaFormat;
}

/** @returns the database's file, `DATA_DIR/<name>.db` */
export function databasePath(dataDir: string, database: string): string {
  return join(dataDir, `${database}.db`);
}

/** @returns whether the file of each database is there */
export function areAllThere(dataDir: string, databases: readonly string[]): boolean {
  return databases.every((database) => existsSync(databasePath(dataDir, database)));
}

/** @returns the folder that Litestream keeps beside a database */
export function sidecarPath(databasePath: string): string {
  return join(dirname(databasePath), `.${basename(databasePath)}-litestream`);
}

/** @returns where the replica of a database is: an absolute folder, or a prefix in the bucket */
export function replicaPath(replica: Replica, database: string): string {
  if (replica.type === 'file') return join(replica.path, database);
  return replica.prefix === '' ? database : `${replica.prefix}/${database}`;
}

/**
 * @param databases names without `.db`
 * @returns Litestream's configuration as YAML. It holds no secret.
 */
export function renderLitestreamConfig(
  config: Config,
  databases: readonly string[],
  { metricsAddress, format = 'wal' }: LitestreamConfigOptions = {},
): string {
  const template = `config/${TEMPLATES[format]}`;
  const lines = readFileSync(new URL(`../../${template}`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => !/^\s*#/.test(line) && line.trim() !== '');
  const split = lines.indexOf('dbs:') + 1;
  const head = lines.slice(0, split);
  const each = lines.slice(split);
  return [
    ...fill(template, head, { metricsAddress, ...systemValues(config) }),
    ...databases.flatMap((database) => fill(template, each, databaseValues(config, database))),
    '',
  ].join('\n');
}

/**
 * Writes the configuration for `replicate` and `restore`, atomically and readable by the owner alone.
 * @param databases names without `.db`
 * @returns its path, `DATA_DIR/run/litestream.yml`
 */
export function writeLitestreamConfig(
  config: Config,
  databases: readonly string[],
  options: LitestreamConfigOptions = {},
): string {
  const runDir = join(config.DATA_DIR, 'run');
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const path = join(runDir, 'litestream.yml');
  const text = renderLitestreamConfig(config, databases, options);
  // With unchanged settings nothing is written, so that a system starts even on a full disk.
  const before = readIfThere(path);
  if (before === text) return path;
  const temporaryPath = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporaryPath, text, { mode: 0o600 });
    renameSync(temporaryPath, path);
  } catch (error) {
    rmSync(temporaryPath, { force: true });
    if (before === undefined || !isDiskFull(error)) throw error;
    // With FAILOVER=lease each epoch has another folder. The text fits into the disk block that the file has already.
    const file = openSync(path, 'r+');
    ftruncateSync(file, writeSync(file, text));
    closeSync(file);
  }
  return path;
}

/** @returns the control socket of Litestream 0.5 */
export function ltxSocketPath(dataDir: string): string {
  return join(dataDir, 'run', 'ltx.sock');
}

/** @returns how often Litestream uploads */
export function syncIntervalMs(config: Config): number {
  return Math.ceil(config.REPLICA_SYNC_INTERVAL_MS * SYNC_SHARE);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @returns how often Litestream checks a WAL for changes */
export function monitorIntervalMs(config: Config): number {
  const shareMs = config.REPLICA_SYNC_INTERVAL_MS * MONITOR_SHARE;
  return clamp(shareMs, MONITOR_INTERVAL_MIN_MS, MONITOR_INTERVAL_MAX_MS);
}

/** The values for the whole system, which only the template of 0.5 uses. */
function systemValues(config: Config): Values {
  return {
    socketPath: ltxSocketPath(config.DATA_DIR),
    snapshotInterval: duration(config.REPLICA_SNAPSHOT_INTERVAL_MS),
    retention: duration(config.REPLICA_RETENTION_MS),
    shutdownSyncTimeout: duration(config.REPLICA_STOP_TIMEOUT_MS),
  };
}

function databaseValues(config: Config, database: string): Values {
  const { replica, S3_ENDPOINT } = config;
  const syncMs = syncIntervalMs(config);
  const monitorMs = monitorIntervalMs(config);
  const isS3 = replica.type === 's3';
  return {
    databasePath: databasePath(config.DATA_DIR, database),
    monitorInterval: duration(monitorMs),
    checkpointInterval: duration(clamp(syncMs * SEGMENTS_MAX, SECOND_MS, CHECKPOINT_INTERVAL_MAX_MS)),
    type: replica.type,
    bucket: isS3 ? replica.bucket : undefined,
    replicaPath: replicaPath(replica, database),
    region: isS3 ? config.AWS_REGION : undefined,
    endpoint: isS3 ? S3_ENDPOINT : undefined,
    forcePathStyle: isS3 && isPathStyle(config) ? true : undefined,
    syncInterval: duration(syncMs),
    snapshotInterval: duration(config.REPLICA_SNAPSHOT_INTERVAL_MS),
    retention: duration(config.REPLICA_RETENTION_MS),
    retentionCheckInterval: duration(Math.min(HOUR_MS, config.REPLICA_RETENTION_MS)),
  };
}

/** Fills placeholders. An unknown one is a mistake in the template; a line whose value is undefined is left out. */
function fill(template: string, lines: readonly string[], values: Values): string[] {
  return lines.flatMap((line) => {
    const name = /<(\w+)>/.exec(line)?.[1];
    if (name === undefined) return [line];
    if (!Object.hasOwn(values, name)) {
      throw new Failure('config_invalid', `${template} has an unknown placeholder: ${name}`);
    }
    const value = values[name];
    return value === undefined ? [] : [line.replace(`<${name}>`, () => quote(value))];
  });
}

/** A JSON string is a YAML string, but YAML needs some unprintable characters escaped that JSON does not. */
function quote(value: string | number | boolean): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function duration(valueMs: number): string {
  return `${Math.round(valueMs)}ms`;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
