import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secrets.ts';
import type { AppManifest } from '../contract/manifest.ts';
import { addCodes } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { findLitestream } from '../replication/binary.ts';
import { writeLitestreamConfig } from '../replication/litestream-config.ts';
import { describeChange } from '../replication/newer-format.ts';
import { demandDatabases } from '../sqlite/data-dir.ts';
import { type DataLock, lockDataDir } from '../sqlite/lock.ts';
import { Events } from '../supervisor/events.ts';
import { endOrphans } from '../supervisor/orphans.ts';
import { appManifestOf } from '../supervisor/release/app-manifest.ts';
import { appSecretsOf, checkGiven, givenOf, unknownTo } from '../supervisor/release/app-settings.ts';
import type { Deployment } from '../supervisor/release/deployment.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import { Releases } from '../supervisor/release/releases.ts';
import { dataOf, type Settled } from '../supervisor/release/settle.js';
import type { StoredRelease } from '../supervisor/release/store.js';
import type { SystemOptions } from '../supervisor/system.ts';

/** Everything that a system is made from, except what happens when it cannot go on. */
export type SystemParts = Omit<SystemOptions, 'onFatal'>;

export interface DataFolderOptions {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly invocation: Invocation;
  /** The releases that run. */
  readonly settled: Settled;
  readonly log: Logger;
  /** Shown to the next process that finds the folder locked. */
  readonly purpose: string;
}

/**
 * Locks the data folder while `run` lasts, ends the processes that a killed system left behind there, and gathers what
 * a system is made from.
 *
 * @throws Failure data_dir_locked, litestream_missing, app_invalid or config_invalid of the app, or what `run` throws
 */
export async function withDataFolder<Result>(
  { config: given, secrets, invocation, settled, log, purpose }: DataFolderOptions,
  run: (parts: SystemParts, lock: DataLock) => Promise<Result>,
): Promise<Result> {
  const lock = lockDataDir(given.DATA_DIR, purpose);
  try {
    // A release folder may be removed while it runs, and a working directory must not go.
    process.chdir(given.DATA_DIR);
    await endOrphans(given.DATA_DIR, log);
    const releases = new Releases({
      invocation,
      dataDir: given.DATA_DIR,
      data: dataOf(invocation.installation, process.env).data,
      log,
    });
    const manifest = await appManifestOf(settled.workers, given.START_TIMEOUT_MS).catch((error) => {
      releases.blames(settled.workers, error);
      throw error;
    });
    addCodes(manifest.codes);
    demandDatabases(given.DATA_DIR, manifest.databases);
    const { config, appSecrets } = await takeAppSettings(settled.workers, manifest, given, invocation, log);
    const litestream = await findLitestream({
      litestreamBin: config.LITESTREAM_BIN,
      dataDir: config.DATA_DIR,
      packages: join(settled.workers.folder, 'package.json'),
    });
    log.info({ path: litestream.path, version: litestream.version }, `litestream ${litestream.version}`);
    const { databases, backgrounds, settings, metrics } = manifest;
    const change = describeChange(litestream, config.DATA_DIR, databases);
    if (change) log.warn(change);
    const litestreamConfigPath = writeLitestreamConfig(config, databases, { format: litestream.format });
    const deployment: Deployment = {
      release: settled.workers,
      config,
      secrets,
      appSecrets,
      litestream,
      litestreamConfigPath,
      databases,
      backgrounds,
      settings,
      metrics,
    };
    const events = new Events(config.DATA_DIR, log);
    const writerDeployment = await deploymentOfWriter(settled, deployment, releases);
    return await run({ deployment, writerDeployment, releases, settled, log, events }, lock);
  } finally {
    lock.release();
  }
}

/** From here on a child gets a secret of the app only when the primary gives it. */
async function takeAppSettings(
  release: StoredRelease,
  manifest: AppManifest,
  config: Config,
  { installation }: Invocation,
  log: Logger,
): Promise<{ config: Config; appSecrets: Deployment['appSecrets'] }> {
  const appSettings = givenOf(manifest, process.env);
  const appSecrets = appSecretsOf(manifest, process.env);
  const timeoutMs = config.START_TIMEOUT_MS;
  await checkGiven(release, manifest, { env: process.env, installation, timeoutMs });
  for (const name of Object.keys(appSecrets)) delete process.env[name];
  const unknown = unknownTo(manifest, installation).others;
  if (unknown.length > 0)
    log.warn({ unknown }, `.env sets what this release does not know: ${unknown.join(', ')}`);
  return { config: { ...config, appSettings }, appSecrets };
}

/** Differs from the deployment of everything else only where an exchange stopped half-way. */
async function deploymentOfWriter(
  { writer, workers }: Settled,
  deployment: Deployment,
  releases: Releases,
): Promise<Deployment> {
  if (writer.hash === workers.hash) return deployment;
  const { config, backgrounds } = await releases.inspect(writer, deployment.config);
  return { ...deployment, release: writer, config, backgrounds };
}
