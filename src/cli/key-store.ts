import { join } from 'node:path';
import { type Config, loadConfig } from '../config/config.ts';
import { hideSecrets } from '../config/secrets.ts';
import { type ListedKey, prepareQueries } from '../keys/queries.ts';
import type { SystemSnapshot } from '../messages/snapshot.ts';
import { Failure } from '../platform/errors.ts';
import { createLog, type Logger } from '../platform/log.ts';
import { openReader } from '../sqlite/open.ts';
import { inItsFolder } from '../supervisor/failover/alone.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import type { Settled } from '../supervisor/release/settle.js';
import { System } from '../supervisor/system.ts';
import { writerClientOf } from '../writer-client/client.ts';
import { askPrimary } from './control-client.ts';
import { type DataFolderOptions, withDataFolder } from './data-folder.ts';
import { demandDatabase } from './demand-data.ts';

/** The keys of a data folder, for the time of one command. */
export interface KeyStore {
  /** Absolute. */
  readonly dataDir: string;
  readonly list: () => ListedKey[];
  /** Resolves when the write is on disk. */
  readonly write: (name: string, input: unknown) => Promise<unknown>;
  /** Resolves to whether the replica confirms all writes up to now within REPLICATED_TIMEOUT_MS. Never rejects. */
  readonly isReplicated: () => Promise<boolean>;
}

/**
 * Gives `run` the keys, whether the system runs or not. Either way there is one writer. That of the running system is
 * reached by its socket, which only the owner of the data folder can open. Otherwise a writer is started with
 * Litestream beside it, without a worker or a port, and stopped when everything is shipped.
 *
 * @throws Failure data_dir_locked when another command has the data folder; why no writer could be started
 */
export async function withKeys<Result>(
  invocation: Invocation,
  settled: Settled | undefined,
  run: (store: KeyStore) => Promise<Result>,
): Promise<Result> {
  const { config, secrets } = loadConfig(process.env, invocation.installation);
  hideSecrets(process.env);
  // The command prints its own messages.
  const log = createLog('command', 'silent', 'json');
  if (config.FAILOVER === 'lease') await demandNoStandby(config);
  // The releases were settled only where there is a database, or one is to be made.
  if (settled === undefined) demandDatabase(config.DATA_DIR);
  try {
    if (settled === undefined) return await useKeys(config, log, run);
    return await withOwnWriter({ config, secrets, invocation, settled, log }, () =>
      useKeys(config, log, run),
    );
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'data_dir_locked') throw error;
    return await useKeys(config, log, run);
  }
}

/** @throws Failure standby where the system that runs here stands by, and so has no keys */
async function demandNoStandby({ DATA_DIR }: Config): Promise<void> {
  // Where no system runs, the next step finds that out.
  const snapshot = await askPrimary(DATA_DIR, ['status']).catch(() => undefined);
  const { state, failover } = (snapshot ?? {}) as Partial<SystemSnapshot>;
  if (state !== 'standby') return;
  throw new Failure(
    'standby',
    `This system stands by, and the keys are those of the one that leads: ${failover?.holder ?? 'it is not known yet which'}. Run it there.`,
  );
}

async function withOwnWriter<Result>(
  { config, ...options }: Omit<DataFolderOptions, 'purpose'>,
  run: () => Promise<Result>,
): Promise<Result> {
  // Nothing listens, so HOST does not matter. It owns the replica alone meanwhile: with FAILOVER=lease nothing would
  // tell its writer until when it may commit.
  const quiet: Config = { ...config, HOST: '127.0.0.1', LOG_LEVEL: 'silent', FAILOVER: 'off' };
  return withDataFolder({ ...options, config: quiet, purpose: 'keys' }, async (parts) => {
    const failed = Promise.withResolvers<never>();
    parts.events.record('start', { pid: process.pid, cause: 'for the command keys; nothing serves' });
    const system = new System(await inItsFolder({ ...parts, onFatal: failed.reject }));
    // The writer may migrate: the next start has to know which release did.
    parts.releases.writerGoesTo(parts.writerDeployment.release);
    try {
      return await Promise.race([system.startWithoutServing().then(run), failed.promise]);
    } finally {
      await system.stop('keys');
    }
  });
}

async function useKeys<Result>(
  config: Config,
  log: Logger,
  run: (store: KeyStore) => Promise<Result>,
): Promise<Result> {
  const { DATA_DIR, REPLICATED_TIMEOUT_MS } = config;
  const writer = writerClientOf(config, { name: 'keys', log, queueMax: 1 });
  writer.connect();
  try {
    return await run({
      dataDir: DATA_DIR,
      list: () => listOf(join(DATA_DIR, 'main.db')),
      write: (name, input) => writer.write(`keys.${name}`, input),
      // An empty write waits for all writes before it, whose own answers stay available.
      isReplicated: () =>
        writer.write('keys.touch', { uses: [] }, { replicatedTimeoutMs: REPLICATED_TIMEOUT_MS }).then(
          () => true,
          () => false,
        ),
    });
  } finally {
    writer.close();
  }
}

function listOf(path: string): ListedKey[] {
  try {
    const db = openReader(path);
    try {
      return prepareQueries(db).list();
    } finally {
      db.close();
    }
  } catch (cause) {
    // Another process has the data folder, and is no system that serves, or not yet.
    throw new Failure('not_ready', 'The keys cannot be read now; try again when the system serves', {
      cause,
    });
  }
}
