import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findLitestream, type LitestreamBinary } from '../../src/replication/binary.ts';
import { confirmerFor } from '../../src/replication/confirmer-for.ts';
import { LogRelay, litestreamEnv, replicateCommand } from '../../src/replication/litestream.ts';
import { databasePath, writeLitestreamConfig } from '../../src/replication/litestream-config.ts';
import { describeChange } from '../../src/replication/newer-format.ts';
import { listGenerations } from '../../src/replication/points/generations.ts';
import { restorePoint } from '../../src/replication/points/restore-point.ts';
import { prepareDatabases } from '../../src/replication/prepare.ts';
import { restoreDatabase, type Selection } from '../../src/replication/restore.ts';
import { type Database, openWriter } from '../../src/sqlite/open.ts';
import { like } from '../support/like.ts';
import { nextSecond } from '../support/next-second.ts';
import { ReplicationWatch } from '../support/replication-watch.ts';
import { startS3 } from '../support/s3.ts';
import { noSmallDisk, smallDisk } from '../support/small-disk.ts';
import {
  contentOf,
  end,
  failureOf,
  filesIn,
  keepingLog,
  litestream,
  makeReplicated,
  makeSite,
  type Site,
  s3Settings,
} from './fixture.ts';

const CONFIRM_TIMEOUT_MS = 15_000;

/** The one of version 0.5 that LITESTREAM_05_BIN names, which no system of another test runs. */
async function newerLitestream(): Promise<LitestreamBinary | undefined> {
  const { LITESTREAM_05_BIN: litestreamBin } = process.env;
  const found = await findLitestream({ litestreamBin }).catch(() => undefined);
  return found?.format === 'ltx' ? found : undefined;
}

const newer = await newerLitestream();
const ABSENT = 'there is no Litestream 0.5.17 or later in LITESTREAM_05_BIN';
const versions = [
  { name: 'Litestream 0.3', binary: await litestream(), skip: false },
  {
    name: newer ? `Litestream ${newer.version}` : 'Litestream 0.5',
    binary: newer as LitestreamBinary,
    skip: newer ? false : ABSENT,
  },
];

/** The site as another version sees it. */
function as(site: Site, binary: LitestreamBinary): Site {
  const configPath = writeLitestreamConfig(site.config, site.databases, { format: binary.format });
  const env = litestreamEnv(process.env, site.secrets, { config: site.config, configPath });
  return { ...site, binary, configPath, env };
}

interface Running {
  readonly child: ChildProcess;
  /** Resolves when the replica holds what is committed by now. */
  readonly confirmed: (db: Database) => Promise<boolean>;
}

/** Starts a replication that is heard as the primary hears it. It ends with the test. */
async function run(t: Test, { binary, configPath, env, config, secrets, databases }: Site): Promise<Running> {
  const { command, args } = replicateCommand(binary, configPath);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let watch: ReplicationWatch | undefined;
  const failures: string[] = [];
  const confirmer = confirmerFor(binary, {
    config,
    databases,
    onConfirmed: (confirmation) => watch?.confirmed(confirmation),
    onSnapshot: () => {},
    onSnapshotEnd: () => {},
    onFailed: (reason) => failures.push(reason),
  });
  t.teardown(() => {
    confirmer.stop();
    child.kill('SIGKILL');
  });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`litestream ended with ${code}`)));
    const onLine = confirmer.onLine.bind(confirmer);
    new LogRelay({
      log: keepingLog().log,
      secrets,
      databases: databases.length,
      onReady: resolve,
      onLine,
    }).attach(child);
  });
  confirmer.start();
  const confirmed = async (db: Database) => {
    const nudge = db.prepare("UPDATE rows SET body = body || '.' WHERE id = 1");
    // Litestream 0.3 misses a commit that is made while it looks, until something else changes: as the writer's heartbeat.
    const own = new ReplicationWatch(db);
    watch = own;
    const heartbeat = setInterval(() => {
      nudge.run();
      own.committed();
    }, 300);
    try {
      return await own.whenReplicated(CONFIRM_TIMEOUT_MS);
    } finally {
      clearInterval(heartbeat);
    }
  };
  return { child, confirmed };
}

function open(t: Test, site: Site): Database {
  const db = openWriter(databasePath(site.config.DATA_DIR, 'main'));
  t.teardown(() => db.close());
  db.exec('CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  db.exec("INSERT INTO rows (id, body) VALUES (1, 'changes all the time') ON CONFLICT DO NOTHING");
  return db;
}

function insert(db: Database, text: string, rows = 50): void {
  const statement = db.prepare('INSERT INTO rows (body) VALUES (?)');
  for (let row = 0; row < rows; row += 1) statement.run(`${text} ${row} `.repeat(20));
}

async function restored(site: Site, name: string): Promise<string | 'empty'> {
  const outputPath = join(site.root, name);
  const { binary, configPath, env, config } = site;
  const outcome = await restoreDatabase({
    ...{ binary, configPath, env, outputPath, log: keepingLog().log, config },
    database: 'main',
    scratchDir: join(site.root, 'scratch'),
  });
  return outcome ? outputPath : 'empty';
}

/** Bodies that the heartbeat does not touch. */
function rowsOf(path: string): unknown[] {
  return contentOf(path).slice(1);
}

for (const { name, binary, skip } of versions) {
  for (const kind of ['a folder', 'a bucket']) {
    t.test(`${name} and ${kind}`, { skip }, async (t) => {
      const settings = kind === 'a bucket' ? s3Settings(await startS3(t)) : {};
      const site = as(await makeSite(t, settings), binary);
      t.equal(await restored(site, 'nothing.db'), 'empty', 'there is nothing yet');

      const first = await run(t, site);
      const db = open(t, site);
      // Its first look at a new database makes it begin a new WAL.
      await first.confirmed(db);
      insert(db, 'first');
      t.ok(await first.confirmed(db), 'what is committed is confirmed');
      const atMs = Date.now();
      await end(first.child, 'SIGKILL');
      t.same(
        rowsOf((await restored(site, 'first.db')) as string),
        rowsOf(db.name),
        'what is confirmed is there',
      );

      const second = await run(t, site);
      insert(db, 'second');
      t.ok(await second.confirmed(db), 'it goes on after a SIGKILL');
      await end(second.child, 'SIGTERM');
      const whole = rowsOf(db.name);

      const { configPath, env, config } = site;
      const place = {
        binary,
        configPath,
        env,
        config,
        database: 'main',
        log: keepingLog().log,
        stallTimeoutMs: 10_000,
      };
      const [generation] = await listGenerations(place);
      t.ok(
        (generation?.toMs ?? 0) >= (generation?.fromMs ?? Number.POSITIVE_INFINITY),
        'it is listed with its times',
      );
      const point = {
        ...place,
        database: 'main',
        log: keepingLog().log,
        scratchDir: join(site.root, 'scratch'),
      };
      const failure = await failureOf(
        restorePoint({ ...point, outputPath: join(site.root, 'early.db'), atMs: atMs - 3_600_000 }),
      );
      t.equal(failure.code, 'restore_too_early');
      await restorePoint({ ...point, outputPath: join(site.root, 'newest.db'), atMs: undefined });
      t.same(rowsOf(join(site.root, 'newest.db')), whole, 'the newest state is restored');

      db.close();
      rmSync(site.config.DATA_DIR, { recursive: true });
      mkdirSync(site.config.DATA_DIR);
      const next = as(site, binary);
      const [prepared] = await prepareDatabases({ ...next, log: keepingLog().log });
      like(t, prepared, { outcome: 'restored' }, 'on an empty disk it comes back');
      t.same(rowsOf(databasePath(next.config.DATA_DIR, 'main')), whole);
      await nextSecond();
      const third = await run(t, next);
      const again = open(t, next);
      await third.confirmed(again);
      insert(again, 'third');
      t.ok(await third.confirmed(again), 'and goes on from there');
      await end(third.child, 'SIGKILL');
      t.same(rowsOf((await restored(next, 'third.db')) as string), rowsOf(again.name));
    });
  }
}

for (const { name, binary, skip } of versions) {
  t.test(
    `${name} says in words that we know why it restores nothing`,
    { skip: skip || noSmallDisk },
    async (t) => {
      const site = as(await makeSite(t), binary);
      const { child, confirmed } = await run(t, site);
      const db = open(t, site);
      await confirmed(db);
      insert(db, 'in the WAL', 2000);
      t.ok(await confirmed(db));
      await end(child, 'SIGKILL');
      const { configPath, env, config } = site;
      const source = { binary, configPath, env, config, database: 'main', log: keepingLog().log };
      const onto = (folder: string, selection?: Selection) =>
        restoreDatabase({
          ...source,
          outputPath: join(folder, 'out.db'),
          scratchDir: join(folder, 'scratch'),
          selection,
        });
      const codes: string[] = [];
      for (const sizeKb of [16, 64, 256, 512]) {
        const folder = smallDisk(t, sizeKb);
        codes.push((await failureOf(onto(folder))).code);
        t.notOk(existsSync(join(folder, 'out.db')));
      }
      t.strictSame(codes, Array(4).fill('storage_full'), 'a full disk, wherever it meets that');
      t.ok(await onto(smallDisk(t, 65_536)), 'and with room it succeeds');
      if (binary.format === 'ltx')
        t.equal(await onto(site.root, { atMs: Date.now() - 3_600_000 }), undefined, 'nothing so old');
    },
  );
}

for (const kind of ['a folder', 'a bucket']) {
  t.test(
    `a change from 0.3 to 0.5 and back keeps the replica in ${kind}`,
    { skip: newer ? false : ABSENT },
    async (t) => {
      const store = kind === 'a bucket' ? await startS3(t) : undefined;
      const old = await makeSite(t, store ? s3Settings(store) : {});
      await makeReplicated(t, old);
      const before = rowsOf(databasePath(old.config.DATA_DIR, 'main'));
      const replica = store ? join(store.directory, store.bucket) : join(old.root, 'replica');
      const oldFiles = filesIn(replica);

      const site = as(old, newer as LitestreamBinary);
      t.same(
        rowsOf((await restored(site, 'old.db')) as string),
        before,
        'the new one restores what the old one wrote',
      );
      const { binary, configPath, env, config } = site;
      const point = { binary, configPath, env, config, database: 'main', atMs: undefined };
      await restorePoint({
        ...point,
        database: 'main',
        log: keepingLog().log,
        outputPath: join(site.root, 'by-hand.db'),
        scratchDir: join(site.root, 'scratch'),
      });
      t.same(rowsOf(join(site.root, 'by-hand.db')), before, 'also by hand');
      t.match(describeChange(binary, config.DATA_DIR, ['main']), /goes on where a 0\.3 was/);
      await nextSecond();
      const running = await run(t, site);
      const db = open(t, site);
      insert(db, 'new');
      t.ok(await running.confirmed(db));
      await end(running.child, 'SIGKILL');
      const rows = rowsOf(db.name);
      t.same(rowsOf((await restored(site, 'new.db')) as string), rows, 'and then its own');
      t.match(filesIn(replica), oldFiles, 'what the old one wrote is untouched');

      db.close();
      for (const entry of readdirSync(site.config.DATA_DIR)) {
        if (entry !== 'run') rmSync(join(site.config.DATA_DIR, entry), { recursive: true });
      }
      const back = as(old, await litestream());
      t.equal(describeChange(back.binary, site.config.DATA_DIR, ['main']), undefined);
      const failure = await failureOf(prepareDatabases({ ...back, log: keepingLog().log }));
      like(t, failure, {
        code: 'litestream_missing',
        message: /written by Litestream 0\.5 last.*LITESTREAM_BIN/,
      });
      const [prepared] = await prepareDatabases({
        ...as(old, newer as LitestreamBinary),
        log: keepingLog().log,
      });
      like(t, prepared, { outcome: 'restored' });
      t.same(
        rowsOf(databasePath(site.config.DATA_DIR, 'main')),
        rows,
        'nothing of before the change came back',
      );
    },
  );
}
