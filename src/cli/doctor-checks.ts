import { constants, lstatSync, mkdtempSync, rmdirSync, type Stats, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secrets.ts';
import { type Finding, type Found, ok, problem, warning } from '../contract/finding.ts';
import { databaseNames, features } from '../features/features.ts';
import type { SystemSnapshot } from '../messages/snapshot.ts';
import { Failure } from '../platform/errors.ts';
import { freeDiskMb } from '../platform/free-disk.ts';
import { isInMemory } from '../platform/in-memory.ts';
import { isWritable } from '../platform/writable.ts';
import { findLitestream, type LitestreamBinary } from '../replication/binary.ts';
import { proveRestore } from '../replication/proof.ts';
import { probeReplica } from '../replication/store/replica-probe.ts';
import { demandDatabases } from '../sqlite/data-dir.ts';
import { lockDataDir } from '../sqlite/lock.ts';
import { askPrimary } from './control-client.ts';
import { checkDatabases } from './doctor-databases.ts';
import { checkFailover } from './doctor-failover.ts';
import { checkFeatures } from './doctor-features.ts';
import { checkNotify } from './doctor-notify.ts';
import { checkOps } from './doctor-ops.ts';
import { checkOwner } from './doctor-owner.ts';

/** S3 refuses requests that are signed 15 minutes off its clock; work that is due at a time needs a better clock. */
const CLOCK_SKEW_MAX_MS = 60_000;
/** Permissions that a data folder needs beside writing. */
const READ_AND_ENTER = constants.R_OK | constants.X_OK;

type Check = () => Promise<readonly Finding[]>;

/** @returns every check; to be run one after the other, in this order */
export function checksFor(config: Config, secrets: Secrets): readonly Check[] {
  let running: SystemSnapshot | undefined;
  let litestream: LitestreamBinary | undefined;
  return [
    async () => [named('node', ok(`Node.js ${process.versions.node}`))],
    async () => [named('sqlite', await checkSqlite())],
    async () => {
      const found = await findBinary(config);
      litestream = found instanceof Error ? undefined : found;
      return [named('litestream', checkLitestream(found))];
    },
    async () => [named('data folder', checkDataDir(config.DATA_DIR))],
    async () => {
      running = await askRunning(config.DATA_DIR);
      return [named('lock', checkLock(config.DATA_DIR, running))];
    },
    async () => checkDatabases(config),
    async () => checkFeatures(config),
    async () => [named('disk', checkDisk(config))],
    async () => [named('port', await checkPort(config, running))],
    async () => [named('operator', await checkOps(config, running))],
    async () => [named('proxy', checkProxies(running))],
    async () => checkReplica(config, secrets, litestream),
    async () =>
      config.FAILOVER === 'off'
        ? [named('owner', await checkOwner(config, secrets))]
        : checkFailover(config, secrets),
    async () => (sendsMail() ? [named('mail', checkMail(config))] : []),
    async () => [named('notify', checkNotify(config, secrets))],
  ];
}

function named(name: string, found: Found): Finding {
  return { name, ...found };
}

async function checkSqlite(): Promise<Found> {
  try {
    const { default: Sqlite } = await import('better-sqlite3');
    const db = new Sqlite(':memory:');
    const row = db.prepare<[], { version: string }>('SELECT sqlite_version() AS version').get();
    db.close();
    return ok(`SQLite ${row?.version}`);
  } catch (error) {
    return problem(`better-sqlite3 cannot be loaded: ${(error as Error).message}`, 'Run npm ci again.');
  }
}

async function findBinary({ LITESTREAM_BIN, DATA_DIR }: Config): Promise<LitestreamBinary | Error> {
  try {
    return await findLitestream({ litestreamBin: LITESTREAM_BIN, dataDir: DATA_DIR });
  } catch (error) {
    return error as Error;
  }
}

function checkLitestream(found: LitestreamBinary | Error): Found {
  if (found instanceof Failure && found.code === 'config_invalid')
    return problem(found.message, 'Move it to another DATA_DIR, or unset LITESTREAM_BIN.');
  return found instanceof Error
    ? problem(found.message, 'Run npm ci again, or set LITESTREAM_BIN.')
    : ok(`Litestream ${found.version}, ${found.path}`);
}

function checkDataDir(dataDir: string): Found {
  const stat = statOf(dataDir);
  if (!stat) {
    const parent = existingParent(dataDir);
    if (isLink(dataDir)) {
      return problem(`${dataDir} is a link to nothing`, 'Set DATA_DIR to a folder.');
    }
    return canMakeFolderIn(parent)
      ? ok(`${dataDir} will be made`)
      : problem(`${dataDir} does not exist, and ${parent} is not writable`, 'Make it, owned by this user.');
  }
  if (!stat.isDirectory()) return problem(`${dataDir} is no folder`, 'Set DATA_DIR to a folder.');
  if (!isWritable(dataDir, READ_AND_ENTER) || !canMakeFolderIn(dataDir)) {
    return problem(`${dataDir} is not writable`, `chown -R it to this user (id ${process.getuid?.()}).`);
  }
  const foreign = ['main.db', 'run'].find((name) => {
    const uid = statOf(`${dataDir}/${name}`)?.uid;
    return uid !== undefined && uid !== process.getuid?.();
  });
  if (foreign) {
    return warning(
      `${dataDir}/${foreign} belongs to another user`,
      'Run as the user that the service runs as.',
    );
  }
  if (isInMemory(dataDir)) {
    return warning(
      `${dataDir} is in memory: a reboot takes what the replica lacks`,
      'Set DATA_DIR to a folder on a disk.',
    );
  }
  return (stat.mode & 0o077) === 0
    ? ok(dataDir)
    : warning(`${dataDir} is open to other users`, `chmod 700 ${dataDir}`);
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/** @returns undefined where nothing is there, also below a file */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Tries it, since permissions alone prove nothing: root has them also where nothing can be made, such as in /proc. */
function canMakeFolderIn(folder: string): boolean {
  try {
    rmdirSync(mkdtempSync(join(folder, '.doctor-')));
    return true;
  } catch {
    return false;
  }
}

function existingParent(path: string): string {
  const parent = dirname(path);
  return statOf(parent) || parent === path ? parent : existingParent(parent);
}

async function askRunning(dataDir: string): Promise<SystemSnapshot | undefined> {
  try {
    return (await askPrimary(dataDir, ['status'])) as SystemSnapshot;
  } catch {
    return undefined;
  }
}

function checkLock(dataDir: string, running: SystemSnapshot | undefined): Found {
  if (running) return ok(`a system runs here: process ${running.primary.pid}, ${running.state}`);
  if (!statOf(dataDir)) return ok('nothing runs here');
  try {
    lockDataDir(dataDir, 'doctor').release();
    demandDatabases(dataDir, databaseNames());
    return ok('nothing runs here');
  } catch (error) {
    const isLocked = error instanceof Failure && error.code === 'data_dir_locked';
    return problem(
      (error as Error).message,
      isLocked ? 'Wait for it, or end that process.' : 'Mend the data folder.',
    );
  }
}

function checkDisk({ DATA_DIR, DISK_RESERVE_MB }: Config): Found {
  const freeMb = freeDiskMb(statOf(DATA_DIR) ? DATA_DIR : existingParent(DATA_DIR));
  return freeMb >= DISK_RESERVE_MB
    ? ok(`${freeMb} MB are free`)
    : problem(
        `${freeMb} MB are free, and DISK_RESERVE_MB keeps ${DISK_RESERVE_MB}: writes would be refused`,
        'Make room, or lower DISK_RESERVE_MB.',
      );
}

async function checkPort({ HOST, PORT }: Config, running: SystemSnapshot | undefined): Promise<Found> {
  if (running?.url) return ok(`${running.url}, held by the system that runs`);
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | undefined>();
  server.once('error', resolve);
  server.listen({ host: HOST, port: PORT, exclusive: true }, () => server.close(() => resolve(undefined)));
  const error = await promise;
  if (!error) return ok(PORT === 0 ? `${HOST}, a free port` : `${HOST}:${PORT} is free`);
  const remedy =
    error.code === 'EADDRINUSE'
      ? 'End what listens there, or set PORT. When ninelives.socket holds it for the service, all is well.'
      : 'Set HOST and PORT to what this machine has and this user may use.';
  return problem(`cannot listen on ${HOST}:${PORT}: ${error.code ?? error.message}`, remedy);
}

/** An older primary does not tell its proxies. */
function checkProxies(running: Partial<SystemSnapshot> | undefined): Found {
  const { unnamedProxies = [] } = running ?? {};
  if (unnamedProxies.length === 0) return ok('none was met that TRUSTED_PROXIES does not name');
  return warning(
    `${unnamedProxies.join(', ')} sends the header of a proxy, and its requests count as its own`,
    'If it is your proxy, name it in TRUSTED_PROXIES and reload; if it is a client, nothing is wrong.',
  );
}

async function checkReplica(
  config: Config,
  secrets: Secrets,
  litestream: LitestreamBinary | undefined,
): Promise<readonly Finding[]> {
  const prove = async () =>
    litestream ? proveRestore(config, secrets, litestream) : 'there is no Litestream';
  const probe = await probeReplica(config, { ...process.env, ...secrets }, prove);
  const { url, type } = config.replica;
  const replica = probe.ok
    ? ok(`${url}: a small object was written, read, listed and removed, and a small database restored`)
    : problem(`${probe.layer}: ${url}: ${probe.problem}`, probe.remedy);
  return [named('replica', replica), named('clock', checkClock(probe.clockSkewMs, type === 's3'))];
}

function sendsMail(): boolean {
  return features.some(({ background = [] }) =>
    background.some(({ secrets = [] }) => secrets.includes('SMTP_URL')),
  );
}

/** A warning only: everything else works without mail. */
function checkMail({ smtpServer, mailPausedBecause }: Config): Found {
  if (smtpServer === undefined) return ok('no SMTP_URL: each mail becomes a file in DATA_DIR/outbox');
  return mailPausedBecause === undefined
    ? ok(smtpServer)
    : warning(`${smtpServer}: no mail is sent: ${mailPausedBecause}`, 'Set what is missing, then reload.');
}

function checkClock(skewMs: number | undefined, isStoreAsked: boolean): Found {
  if (skewMs === undefined) {
    return ok(
      isStoreAsked
        ? 'not compared: the store did not tell its time'
        : 'not compared: only an S3 store tells its time',
    );
  }
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (Math.abs(skewMs) <= CLOCK_SKEW_MAX_MS) return ok(`within ${Math.max(1, seconds)} s of the store's`);
  return problem(
    `${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} the store's`,
    'Set the clock of this machine, and run a time service such as systemd-timesyncd.',
  );
}

/** @returns the mistakes in the settings as one finding */
export function settingsFinding(failure: Failure): Finding {
  const details = (failure.options.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
  return named('settings', problem(details.join('; '), 'Correct them; config/.env.example explains each.'));
}
