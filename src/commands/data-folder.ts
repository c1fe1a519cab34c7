import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { backgrounds, databaseNames } from '../features.ts';
import type { Logger } from '../log.ts';
import { findLitestream } from '../replication/binary.ts';
import { writeLitestreamConfig } from '../replication/litestream-config.ts';
import { describeChange } from '../replication/newer-format.ts';
import type { Secrets } from '../secrets.ts';
import { lockDataDir } from '../sqlite/lock.ts';
import { Events } from '../supervisor/events.ts';
import { endOrphans } from '../supervisor/orphans.ts';
import type { SystemOptions } from '../supervisor/system.ts';
import { version } from '../version.ts';

const PROJECT_FOLDER = resolve(fileURLToPath(new URL('../../', import.meta.url)));

/** Everything that a system is made from, but what happens when it cannot go on. */
export type SystemParts = Omit<SystemOptions, 'onFatal'>;

/**
 * Takes the data folder for as long as `run` lasts, ends what a killed system left behind there, and gathers what a
 * system is made from.
 *
 * @param purpose for whoever finds the folder taken
 * @throws Failure data_dir_locked, litestream_missing, or what `run` throws
 */
export async function withDataFolder<Result>(
  config: Config,
  secrets: Secrets,
  log: Logger,
  purpose: string,
  run: (parts: SystemParts) => Promise<Result>,
): Promise<Result> {
  const lock = lockDataDir(config.DATA_DIR, purpose);
  try {
    await endOrphans(config.DATA_DIR, log);
    const litestream = await findLitestream({
      litestreamBin: config.LITESTREAM_BIN,
      path: process.env.PATH,
      log,
    });
    log.info({ path: litestream.path, version: litestream.version }, `litestream ${litestream.version}`);
    const databases = databaseNames();
    const change = describeChange(litestream, config.DATA_DIR, databases);
    if (change) log.warn(change);
    const litestreamConfigPath = writeLitestreamConfig(config, databases, {
      format: litestream.format,
    });
    const events = new Events(config.DATA_DIR, log);
    const deployment = {
      release: { hash: 'none', version, folder: PROJECT_FOLDER, nodePath: process.execPath },
      config,
      secrets,
      litestream,
      litestreamConfigPath,
      databases,
      backgrounds: backgrounds(),
    };
    return await run({ deployment, log, events });
  } finally {
    lock.release();
  }
}
