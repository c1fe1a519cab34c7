import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { DrillResult } from '../../src/messages/drill-result.ts';
import { confirmationOf } from '../../src/replication/confirmation.ts';
import { runDrill } from '../../src/replication/drill/drill.ts';
import type { DrillOptions } from '../../src/replication/drill/options.ts';
import { LogRelay, replicateCommand } from '../../src/replication/litestream.ts';
import { databasePath } from '../../src/replication/litestream-config.ts';
import { migrate } from '../../src/sqlite/migrations.ts';
import { type Database, openWriter } from '../../src/sqlite/open.ts';
import { ReplicationWatch } from '../support/replication-watch.ts';
import type { TestStore } from '../support/s3.ts';
import { filesIn, keepingLog, makeSite, type Site, s3Settings } from './fixture.ts';

const WRITER_MIGRATIONS = new URL('../../src/sqlite/migrations/', import.meta.url);
const CONFIRM_TIMEOUT_MS = 20_000;
/** As long as a write is not confirmed, the writer makes Litestream look again. */
const HEARTBEAT_MS = 100;
const SETTLE_TRY_MS = 500;

/** A database that a real Litestream replicates, written to by this process as the writer would. */
export interface DrillSite extends Site {
  readonly db: Database;
  readonly litestream: ChildProcess;
  /** Makes one commit that adds, changes and deletes rows, some of a size. */
  readonly commit: () => void;
  /** Commits about 50 times a second until what it returns is called. */
  readonly load: () => () => void;
  /** Ends load and heartbeat; resolves when the replica has everything. */
  readonly settle: () => Promise<void>;
  readonly drill: (more?: Partial<DrillOptions>) => Promise<DrillResult>;
}

/** Starts one. Everything ends with the test. */
export async function makeDrillSite(t: Test, settings: NodeJS.ProcessEnv = {}): Promise<DrillSite> {
  // Each drill reads all segments: few large ones, then.
  const site = await makeSite(t, { DISK_RESERVE_MB: '0', REPLICA_SYNC_INTERVAL_MS: '400', ...settings });
  const { config, secrets, binary, configPath, env, databases } = site;
  const db = openWriter(databasePath(config.DATA_DIR, 'main'));
  migrate(db, [{ name: 'writer', migrations: WRITER_MIGRATIONS }]);
  db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT');
  // These never change.
  const insert = db.prepare('INSERT INTO rows (id, body) VALUES (?, ?)');
  for (let id = -50; id < 0; id += 1) insert.run(id, `row ${id} ${id}`);
  db.exec('CREATE TABLE words (word TEXT PRIMARY KEY, blob BLOB, n INTEGER) STRICT, WITHOUT ROWID');
  const watch = new ReplicationWatch(db);
  const { command, args } = replicateCommand(binary, configPath);
  const litestream = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  await new Promise<void>((onReady, reject) => {
    litestream.once('exit', (code) => reject(new Error(`litestream ended with ${code}`)));
    new LogRelay({
      log: keepingLog().log,
      secrets,
      databases: databases.length,
      onReady,
      onLine: (line) => {
        const confirmation = confirmationOf(line);
        if (confirmation) watch.confirmed(confirmation);
      },
    }).attach(litestream);
  });
  const commitRows = committer(db);
  const commit = () => {
    commitRows();
    watch.committed();
  };
  let stopLoad: (() => void) | undefined;
  const beat = db.prepare('UPDATE writer_heartbeat SET at_ms = max(at_ms + 1, ?) WHERE id = 1');
  const heartbeat = setInterval(() => {
    beat.run(Date.now());
    watch.committed();
  }, HEARTBEAT_MS);
  const settle = async () => {
    clearInterval(heartbeat);
    stopLoad?.();
    while (!(await watch.whenReplicated(SETTLE_TRY_MS))) beat.run(Date.now());
  };
  t.teardown(() => {
    clearInterval(heartbeat);
    stopLoad?.();
    litestream.kill('SIGKILL');
    db.close();
  });
  for (let count = 0; count < 20; count += 1) commit();
  const load = () => {
    stopLoad = startLoad(commit);
    return stopLoad;
  };
  const drill = (more: Partial<DrillOptions> = {}) =>
    runDrill({
      config,
      binary,
      configPath,
      databases,
      env,
      log: keepingLog().log,
      whenReplicated: (_, timeoutMs) => watch.whenReplicated(timeoutMs),
      confirmTimeoutMs: CONFIRM_TIMEOUT_MS,
      stallTimeoutMs: 5000,
      ...more,
    });
  return { ...site, db, litestream, commit, load, settle, drill };
}

/** Bounded in what there is at a time, so that the last of many drills takes as long as the first. */
const ROWS_MAX = 3000;
const COMMIT_INTERVAL_MS = 20;

function committer(db: Database): () => void {
  const put = db.prepare('INSERT OR REPLACE INTO rows (id, body) VALUES (?, ?)');
  const remove = db.prepare('DELETE FROM rows WHERE id = ?');
  const putWord = db.prepare('INSERT OR REPLACE INTO words VALUES (?, randomblob(?), ?)');
  const count = db.prepare('UPDATE writer_commit SET ordinal = ordinal + 1, at_ms = ? WHERE id = 1');
  let turn = 0;
  return db.transaction(() => {
    turn += 1;
    for (let row = 0; row < 5; row += 1)
      put.run((turn * 5 + row) % ROWS_MAX, `row ${turn} ${row} `.repeat(10));
    remove.run((turn * 611) % ROWS_MAX);
    putWord.run(`word ${(turn * 31) % 400}`, (turn * 13) % 3000, turn);
    count.run(Date.now());
  }).immediate;
}

function startLoad(commit: () => void): () => void {
  const timer = setInterval(commit, COMMIT_INTERVAL_MS);
  return () => clearInterval(timer);
}

/** The replica that a drill reads, as files on this machine. */
export interface ReplicaFiles {
  /** Every snapshot and WAL segment of the main database, in order. */
  readonly list: () => { readonly snapshots: string[]; readonly segments: string[] };
}

export interface Kind {
  readonly name: string;
  readonly make: (t: Test) => Promise<{ readonly site: DrillSite; readonly files: ReplicaFiles }>;
}

/** @param startStore makes a store that ends with the test */
export function kinds(startStore: (t: Test) => Promise<TestStore>): readonly Kind[] {
  return [
    {
      name: 'a folder',
      make: async (t) => {
        const site = await makeDrillSite(t);
        return { site, files: filesUnder(() => join(site.root, 'replica', 'main')) };
      },
    },
    {
      name: 'a bucket',
      make: async (t) => {
        const store = await startStore(t);
        const site = await makeDrillSite(t, s3Settings(store, 'p'));
        return { site, files: filesUnder(() => join(store.directory, store.bucket, 'p', 'main')) };
      },
    },
  ];
}

function filesUnder(folder: () => string): ReplicaFiles {
  return {
    list: () => {
      if (!existsSync(folder()) || readdirSync(folder()).length === 0) return { snapshots: [], segments: [] };
      const paths = Object.keys(filesIn(folder()))
        .filter((name) => /\.lz4(\._S3rver_object)?$/.test(name))
        .sort()
        .map((name) => join(folder(), name));
      return {
        snapshots: paths.filter((path) => /\/snapshots\//.test(path)),
        segments: paths.filter((path) => /\/wal\//.test(path)),
      };
    },
  };
}
