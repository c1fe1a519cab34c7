import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import type { Test } from 'tap';
import { type Config, loadConfig } from '../../src/config/config.ts';
import type { Secrets } from '../../src/config/secrets.ts';
import { Failure } from '../../src/platform/errors.ts';
import type { Logger } from '../../src/platform/log.ts';
import { findLitestream, type LitestreamBinary } from '../../src/replication/binary.ts';
import { LogRelay, litestreamEnv, replicateCommand } from '../../src/replication/litestream.ts';
import { databasePath, writeLitestreamConfig } from '../../src/replication/litestream-config.ts';
import type { LitestreamLine } from '../../src/replication/log-line.ts';
import { openReader, openWriter } from '../../src/sqlite/open.ts';
import { bare } from '../support/bare.ts';
import type { TestStore } from '../support/s3.ts';
import { until, within } from '../support/system.ts';

/** Longer than any pause between two uploads while there is something to upload. */
const QUIET_MS = 150;
const END_TIMEOUT_MS = 20_000;

/** A logger that keeps what it is told. */
export function keepingLog(): { log: Logger; lines: { level: number; msg: string }[] } {
  const lines: { level: number; msg: string }[] = [];
  const log = pino({ level: 'trace' }, { write: (text: string) => void lines.push(JSON.parse(text)) });
  return { log, lines };
}

/** The Litestream that npm carries. */
export async function litestream(): Promise<LitestreamBinary> {
  return findLitestream({ litestreamBin: undefined });
}

/** A data folder with its configuration, and what it takes to run Litestream on it. */
export interface Site {
  readonly root: string;
  readonly config: Config;
  readonly secrets: Secrets;
  readonly binary: LitestreamBinary;
  readonly configPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly databases: readonly string[];
  /** Every line that Litestream has logged here. */
  readonly lines: LitestreamLine[];
  /** How many of them the processes before the last one have logged. */
  linesBefore: number;
  lastLineMs: number;
}

/**
 * @param settings of the environment; DATA_DIR is made under a folder that goes with the test
 * @param databases names without `.db`
 */
export async function makeSite(
  t: Test,
  settings: NodeJS.ProcessEnv = {},
  databases: readonly string[] = ['main'],
): Promise<Site> {
  const root = mkdtempSync(join(tmpdir(), 'ninelives-replication-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const DATA_DIR = join(root, 'data');
  mkdirSync(DATA_DIR);
  const env = {
    DATA_DIR,
    REPLICA_URL: `file:${join(root, 'replica')}`,
    REPLICA_SYNC_INTERVAL_MS: '50',
    ...settings,
  };
  const { config, secrets } = loadConfig(env, root);
  const configPath = writeLitestreamConfig(config, databases);
  return {
    root,
    config,
    secrets,
    binary: await litestream(),
    configPath,
    env: litestreamEnv(process.env, secrets, { config, configPath }),
    databases,
    lines: [],
    linesBefore: 0,
    lastLineMs: 0,
  };
}

/** The settings for a replica in a bucket. */
export function s3Settings(store: TestStore, prefix = 'backup/one'): NodeJS.ProcessEnv {
  return {
    REPLICA_URL: `s3://${store.bucket}/${prefix}`,
    S3_ENDPOINT: store.endpoint,
    ...store.credentials,
  };
}

/** Starts a replication and waits until Litestream has taken up its databases. It ends with the test. */
export async function replicate(t: Test, site: Site, log = keepingLog().log): Promise<ChildProcess> {
  const { command, args } = replicateCommand(site.binary, site.configPath);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: site.env });
  t.teardown(() => child.kill('SIGKILL'));
  const { secrets, databases } = site;
  site.linesBefore = site.lines.length;
  await new Promise<void>((onReady, reject) => {
    child.once('exit', (code) => reject(new Error(`litestream ended with ${code}`)));
    const onLine = (line: LitestreamLine) => {
      site.lines.push(line);
      site.lastLineMs = performance.now();
    };
    new LogRelay({ log, secrets, databases: databases.length, onReady, onLine }).attach(child);
  });
  return child;
}

function isQuiet({ lines, linesBefore, lastLineMs }: Site): boolean {
  // One that has failed is begun again, and ends once.
  const isUploading = new Map<unknown, boolean>();
  for (const { message, fields } of lines.slice(linesBefore)) {
    if (message === 'write wal segment') isUploading.set(fields.db, true);
    if (message === 'wal segment written') isUploading.set(fields.db, false);
  }
  return ![...isUploading.values()].includes(true) && performance.now() - lastLineMs > QUIET_MS;
}

/** Asks Litestream to end between two uploads: in the middle of one 0.3.13 may hang for ever. @returns its exit code */
export async function endQuietly(child: ChildProcess, site: Site): Promise<number | null> {
  await until(() => isQuiet(site), 'no upload is under way');
  return await end(child, 'SIGTERM');
}

/** Ends Litestream, and fails where it does not end. @returns its exit code */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const closed = once(child, 'close');
  child.kill(signal);
  try {
    const [code] = await within(closed, `Litestream ${child.pid} ends after ${signal}`, END_TIMEOUT_MS);
    return code;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** How many WAL segments Litestream says it has uploaded. */
export function segmentsWritten(site: Site): number {
  return site.lines.filter(({ message }) => message === 'wal segment written').length;
}

/**
 * Fills each database in several commits while Litestream replicates it, then stops Litestream in order. The WAL
 * and the sidecar stay, as after a crash of the writer.
 */
export async function makeReplicated(t: Test, site: Site, commits = 4): Promise<void> {
  const child = await replicate(t, site);
  for (const database of site.databases) {
    const db = openWriter(databasePath(site.config.DATA_DIR, database));
    t.teardown(() => db.close());
    db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
    const insert = db.prepare('INSERT INTO rows (body) VALUES (?)');
    const nudge = db.prepare("UPDATE rows SET body = body || '.' WHERE id = 1");
    for (let commit = 0; commit < commits; commit += 1) {
      const before = segmentsWritten(site);
      db.transaction(() => {
        for (let row = 0; row < 50; row += 1) insert.run(`${database} ${commit} ${row} `.repeat(20));
      }).immediate();
      await until(() => {
        // Litestream misses a commit that is made just while it looks, until something else changes.
        nudge.run();
        return segmentsWritten(site) > before;
      }, 'the commit is uploaded');
    }
  }
  const code = await endQuietly(child, site);
  if (code !== 0)
    throw new Error(`litestream did not ship the last commit: ${JSON.stringify(site.lines.at(-1))}`);
}

/** Everything that a database holds, to compare with. */
export function contentOf(path: string): unknown[] {
  const db = openReader(path);
  try {
    return db.prepare('SELECT * FROM rows ORDER BY id').all();
  } finally {
    db.close();
  }
}

/** Writes rows in a process that then dies by SIGKILL, so that they are in the WAL alone. */
export async function writeAndDie(path: string, rows: number): Promise<void> {
  const script = `
    import { openWriter } from ${JSON.stringify(import.meta.resolve('../../src/sqlite/open.ts'))};
    const db = openWriter(${JSON.stringify(path)});
    db.exec('CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
    const insert = db.prepare('INSERT INTO rows (body) VALUES (?)');
    for (let row = 0; row < ${rows}; row += 1) insert.run('row ' + row);
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawn(...bare(process.execPath, ['--input-type=module', '-e', script]), { stdio: 'inherit' });
  await once(child, 'exit');
}

/** @returns the failure that a promise ends with */
export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** @returns every file under a folder, by path relative to it, with its size */
export function filesIn(folder: string): Record<string, number> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), statSync(path).size]),
  );
}
