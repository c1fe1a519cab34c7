import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { Secrets } from '../config/secrets.ts';
import { createLog } from '../platform/log.ts';
import { openReader, openWriter } from '../sqlite/open.ts';
import type { LitestreamBinary } from './binary.ts';
import { LogRelay, litestreamEnv, replicateCommand } from './litestream.ts';
import { databasePath, replicaPath, writeLitestreamConfig } from './litestream-config.ts';
import type { LitestreamLine } from './log-line.ts';
import { type RestoreOptions, restoreDatabase } from './restore.ts';
import { reasonIn } from './restore-failure.ts';
import { openStore } from './store/open.ts';
import { removeOldTrials, removeTrial, trialName } from './store/trial.ts';

/** A store that takes longer for a few kilobytes cannot be used. */
const TIMEOUT_MS = 15_000;
const PAUSE_MS = 200;
const DATABASE = 'probe';

/**
 * Proves the way to the replica and back. The real Litestream uploads a small database to a trial folder in the
 * replica; then this restores it as a start would, compares it and removes it, with what killed proofs have left.
 * @returns what is wrong, for people; undefined when nothing is
 */
export async function proveRestore(
  config: Config,
  secrets: Secrets,
  binary: LitestreamBinary,
): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'ninelives-'));
  const { replica } = config;
  const name = trialName();
  const place = replicaPath(replica, name);
  const own: Config = {
    ...config,
    DATA_DIR: join(folder, 'data'),
    REPLICA_SYNC_INTERVAL_MS: PAUSE_MS,
    replica: replica.type === 'file' ? { ...replica, path: place } : { ...replica, prefix: place },
  };
  mkdirSync(own.DATA_DIR);
  const db = openWriter(databasePath(own.DATA_DIR, DATABASE));
  try {
    db.exec('CREATE TABLE proof (name TEXT NOT NULL)');
    db.prepare('INSERT INTO proof VALUES (?)').run(name);
    const configPath = writeLitestreamConfig(own, [DATABASE], { format: binary.format });
    const env = litestreamEnv(process.env, secrets, { config, configPath });
    const log = createLog('command', 'silent', 'json');
    const { command, args } = replicateCommand(binary, configPath);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const ended = once(child, 'exit').catch(() => {});
    const lines: LitestreamLine[] = [];
    const onLine = (line: LitestreamLine) => lines.push(line);
    new LogRelay({ log, secrets, databases: 1, onLine }).attach(child);
    try {
      const scratchDir = join(folder, 'restore');
      const options = { config: own, binary, configPath, database: DATABASE, scratchDir, env, log };
      const reason = await restored({ ...options, outputPath: join(folder, 'restored.db') }, name);
      if (reason === undefined) return undefined;
      const complaints = lines.filter(({ level }) => level === 'error');
      return complaints.length === 0 ? reason : `${reason}; Litestream says: ${reasonIn(complaints).shown}`;
    } finally {
      // Not SIGTERM: that would upload once more.
      child.kill('SIGKILL');
      await ended;
      const store = openStore({ config, env: { ...process.env, ...secrets } });
      await removeTrial(store, name);
      await removeOldTrials(store);
    }
  } finally {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns why a restore does not bring back the name, for people; undefined when it does */
async function restored(options: RestoreOptions, name: string): Promise<string | undefined> {
  const { outputPath } = options;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let reason = 'nothing arrives';
  for (;;) {
    try {
      const found = await restoreDatabase({ ...options, signal, check: 'integrity_check' });
      if (found && readName(outputPath) === name) return undefined;
      if (found) reason = 'what was restored is not what was uploaded';
    } catch (error) {
      if (signal.aborted) return `${reason} within ${TIMEOUT_MS / 1000} s`;
      reason = (error as Error).message;
    }
    rmSync(outputPath, { force: true });
    if (signal.aborted) return `${reason} within ${TIMEOUT_MS / 1000} s`;
    await delay(PAUSE_MS);
  }
}

function readName(path: string): unknown {
  const db = openReader(path);
  try {
    return db.prepare('SELECT name FROM proof').pluck().get();
  } finally {
    db.close();
  }
}
