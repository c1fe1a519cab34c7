import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t, { type Test } from 'tap';
import type { Code } from '../../src/platform/errors.ts';
import { isDamageMarked, markDamage } from '../../src/replication/damage-mark.ts';
import { historyOrNone } from '../../src/replication/history/history.ts';
import { emptyMark, newMark, readMark, writeMark } from '../../src/replication/history/mark.ts';
import { databasePath } from '../../src/replication/litestream-config.ts';
import { type Prepared, prepareDatabases } from '../../src/replication/prepare.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { until } from '../support/system.ts';
import {
  contentOf,
  failureOf,
  filesIn,
  keepingLog,
  makeReplicated,
  makeSite,
  replicate,
  type Site,
  s3Settings,
  segmentsWritten,
  writeAndDie,
} from './fixture.ts';

interface Run {
  readonly config?: Partial<Site['config']>;
  readonly log?: ReturnType<typeof keepingLog>['log'];
  readonly isChecked?: boolean;
}

async function prepare(
  site: Site,
  { config, log = keepingLog().log, isChecked }: Run = {},
): Promise<Prepared[]> {
  const { binary, configPath, databases, env } = site;
  const options = { config: { ...site.config, ...config }, binary, configPath, databases, env, log };
  return prepareDatabases({ ...options, isChecked, stallTimeoutMs: 2000 });
}

function mainPath(site: Site): string {
  return databasePath(site.config.DATA_DIR, 'main');
}

/** Loses the database with everything beside it, as a new machine does; the replica stays. */
function loseData(site: Site): void {
  for (const name of readdirSync(site.config.DATA_DIR)) {
    if (name !== 'run') rmSync(join(site.config.DATA_DIR, name), { recursive: true });
  }
}

/** @returns what a start wants to be told before it begins anew */
async function emptyIdOf(site: Site): Promise<string> {
  const { message } = await failureOf(prepare(site));
  return /set ALLOW_EMPTY=([0-9a-f]{8})/.exec(message)?.[1] ?? message;
}

/** What a database is made of, without the folders that a start makes for itself. */
function data(site: Site): Record<string, string> {
  const names = Object.keys(filesIn(site.config.DATA_DIR)).filter((name) => !/^run\/|-shm$/.test(name));
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(site.config.DATA_DIR, name)).toString('base64')]),
  );
}

const DAMAGES: Record<string, (path: string) => void> = {
  'it is another kind of file': (path) => writeFileSync(path, 'not a database at all, '.repeat(1000)),
  'it is cut off': (path) => truncateSync(path, 5000),
  'a page of it is overwritten': (path) => {
    const content = readFileSync(path);
    content.fill(0xff, 4096, 12_288);
    writeFileSync(path, content);
  },
  'its header is overwritten': (path) => {
    const content = readFileSync(path);
    content.fill(0, 0, 100);
    writeFileSync(path, content);
  },
};

/** A database of several pages that is in the replica, and whole in its file: without a WAL that would hide damage. */
async function makeDamaged(t: Test, site: Site, damage: (path: string) => void): Promise<unknown[]> {
  await makeReplicated(t, site);
  const rows = contentOf(mainPath(site));
  const db = openWriter(mainPath(site));
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  damage(mainPath(site));
  return rows;
}

interface Expected {
  readonly code: Code;
  readonly message?: RegExp;
}

/** A start that must fail, twice: the second finds what the first found, and nothing is lost. */
async function assertRefused(t: Test, site: Site, expected: Expected, run: Run = {}): Promise<void> {
  const before = data(site);
  for (const start of ['the first start', 'the next start']) {
    t.match(await failureOf(prepare(site, run)), expected, start);
    t.same(data(site), before, `${start} changed nothing`);
  }
}

t.test('the database is missing', async (t) => {
  await t.test('and nothing was ever replicated: it is new', async (t) => {
    const site = await makeSite(t, {}, ['main', 'media']);
    like(t, await prepare(site), [
      { database: 'main', outcome: 'new' },
      { database: 'media', outcome: 'new' },
    ]);
    t.same(data(site), {});
  });
  await t.test('and the bucket is empty: it is new', async (t) => {
    const site = await makeSite(t, s3Settings(await startS3(t)));
    like(t, await prepare(site), [{ outcome: 'new' }]);
  });
  for (const kind of ['file', 's3']) {
    await t.test(`and the replica (${kind}) has it: both databases come back with every row`, async (t) => {
      const site = await makeSite(t, kind === 's3' ? s3Settings(await startS3(t)) : {}, ['main', 'media']);
      await makeReplicated(t, site);
      const paths = ['main', 'media'].map((name) => databasePath(site.config.DATA_DIR, name));
      const rows = paths.map(contentOf);
      loseData(site);
      const { log, lines } = keepingLog();
      like(t, await prepare(site, { log }), [
        { database: 'main', outcome: 'restored', movedTo: undefined },
        { database: 'media', outcome: 'restored' },
      ]);
      t.same(paths.map(contentOf), rows);
      t.match(lines.at(-1)?.msg, /media: restored \(\d+ ms\)/);
      t.notOk(existsSync(join(site.config.DATA_DIR, 'damaged')));
      like(
        t,
        await prepare(site),
        [{ outcome: 'present' }, { outcome: 'present' }],
        'the next start keeps it',
      );
    });
  }
  await t.test('and the replica cannot be reached: the start stops and says how to override', async (t) => {
    const store = await startS3(t);
    await store.close();
    const site = await makeSite(t, s3Settings(store));
    await assertRefused(t, site, {
      code: 'replica_unreachable',
      message: /S3_ENDPOINT.*ALLOW_EMPTY=[0-9a-f]{8}/s,
    });
    const ALLOW_EMPTY = await emptyIdOf(site);
    t.equal((await failureOf(prepare(site))).meaning.exitCode, 75);
    await assertRefused(
      t,
      site,
      {
        code: 'replica_unreachable',
        message: new RegExp(`ALLOW_EMPTY=1 does not name.*ALLOW_EMPTY=${ALLOW_EMPTY}`, 's'),
      },
      { config: { ALLOW_EMPTY: '1' } },
    );

    const { log, lines } = keepingLog();
    like(t, await prepare(site, { config: { ALLOW_EMPTY }, log }), [{ outcome: 'new' }]);
    t.ok(lines.some(({ level, msg }) => level === 40 && /ALLOW_EMPTY=\w+:.*cannot be reached/.test(msg)));
    like(
      t,
      await prepare(site),
      [{ outcome: 'new' }],
      'a start that did not get to make it is not asked again',
    );
  });
  await t.test('what ALLOW_EMPTY names works once', async (t) => {
    const site = await makeSite(t);
    await makeReplicated(t, site);
    rmSync(mainPath(site));
    rmSync(join(site.root, 'replica'), { recursive: true });
    const told = { ...emptyMark(), local: { session: 'old', ordinal: 7, atMs: 1 } };
    writeMark(
      site.config.DATA_DIR,
      { ...newMark(site.config.replica.url), databases: { main: told } },
      false,
    );
    const ALLOW_EMPTY = await emptyIdOf(site);
    like(t, await prepare(site, { config: { ALLOW_EMPTY } }), [{ outcome: 'new' }]);
    t.strictSame(
      readMark(site.config.DATA_DIR)!.databases.main!.abandoned,
      [{ session: 'old', firstOrdinal: 1, lastOrdinal: 7 }],
      'what another replica has of it is no fork',
    );
    // It serves, and tells of what is written.
    const mark = readMark(site.config.DATA_DIR)!;
    const local = { session: 's', ordinal: 1, atMs: 1 };
    writeMark(
      site.config.DATA_DIR,
      { ...mark, databases: { main: { ...mark.databases.main!, local } } },
      false,
    );
    await assertRefused(
      t,
      site,
      { code: 'storage_corrupt', message: /does not name/ },
      { config: { ALLOW_EMPTY } },
    );
    t.not(await emptyIdOf(site), ALLOW_EMPTY);
  });
  await t.test('and its folder is on a disk that is not mounted: the start stops', async (t) => {
    const site = await makeSite(t, { REPLICA_URL: `file:${join(t.testdir(), 'mnt', 'replica')}` });
    await assertRefused(t, site, { code: 'replica_unreachable' });
  });
  await t.test('and the replica is broken: the start stops, unless ALLOW_EMPTY names it', async (t) => {
    const site = await makeSite(t);
    await makeReplicated(t, site);
    loseData(site);
    const replica = join(site.root, 'replica');
    for (const name of Object.keys(filesIn(replica))) truncateSync(join(replica, name), 20);
    await assertRefused(t, site, { code: 'restore_failed', message: /ALLOW_EMPTY=[0-9a-f]{8}/ });
    like(t, await prepare(site, { config: { ALLOW_EMPTY: await emptyIdOf(site) } }), [{ outcome: 'new' }]);
  });
  await t.test('and ALLOW_EMPTY is set, but the replica has it: it is restored all the same', async (t) => {
    const site = await makeSite(t);
    await makeReplicated(t, site);
    const rows = contentOf(mainPath(site));
    loseData(site);
    like(t, await prepare(site, { config: { ALLOW_EMPTY: '1' } }), [{ outcome: 'restored' }]);
    t.same(contentOf(mainPath(site)), rows);
  });
});

t.test('the database is missing, but a WAL and a sidecar of it are there', async (t) => {
  await t.test('they are moved aside, and do not get mixed into the restored one', async (t) => {
    const site = await makeSite(t);
    await makeReplicated(t, site);
    const rows = contentOf(mainPath(site));
    // Rows that no replica has: they must end up neither in the database nor nowhere.
    await writeAndDie(mainPath(site), 10);
    rmSync(mainPath(site));
    const [prepared] = await prepare(site);
    like(t, prepared, { outcome: 'restored', movedTo: /damaged\/main-/ });
    t.same(contentOf(mainPath(site)), rows);
    t.same(readdirSync(prepared?.movedTo as string).sort(), [
      '.main.db-litestream',
      'main.db-shm',
      'main.db-wal',
    ]);
    t.notOk(existsSync(join(site.config.DATA_DIR, '.main.db-litestream')));
  });
  await t.test('and the replica is empty: they show that it is not a new one', async (t) => {
    const site = await makeSite(t);
    await makeReplicated(t, site);
    rmSync(mainPath(site));
    rmSync(join(site.root, 'replica'), { recursive: true });
    await assertRefused(t, site, {
      code: 'storage_corrupt',
      message: /main.db-wal.*ALLOW_EMPTY=[0-9a-f]{8}/s,
    });
    like(t, await prepare(site, { config: { ALLOW_EMPTY: await emptyIdOf(site) } }), [
      { outcome: 'new', movedTo: /damaged/ },
    ]);
    t.notOk(existsSync(`${mainPath(site)}-wal`));
    rmSync(join(site.config.DATA_DIR, 'run', 'history.json'));
    like(
      t,
      await failureOf(prepare(site)),
      { code: 'storage_corrupt', message: /damaged\/main-/ },
      'still so',
    );
  });
});

t.test('the database is an empty file', async (t) => {
  await t.test('left by a first start that was killed: it is new', async (t) => {
    const site = await makeSite(t);
    writeFileSync(mainPath(site), '');
    like(t, await prepare(site), [{ outcome: 'new' }]);
  });
  await t.test('where there was one: it is restored', async (t) => {
    const site = await makeSite(t);
    await makeReplicated(t, site);
    const rows = contentOf(mainPath(site));
    truncateSync(mainPath(site), 0);
    like(t, await prepare(site), [{ outcome: 'restored', movedTo: /damaged/ }]);
    t.same(contentOf(mainPath(site)), rows);
  });
});

t.test('the database is there and whole', async (t) => {
  await t.test('with a WAL that a killed writer left: no row is lost, and no byte is changed', async (t) => {
    const site = await makeSite(t);
    await writeAndDie(mainPath(site), 100);
    const before = data(site);
    like(t, await prepare(site), [{ outcome: 'present' }]);
    t.same(data(site), before, 'nothing was checkpointed');
    t.equal(contentOf(mainPath(site)).length, 100);
  });
  await t.test('then Litestream goes on with the same generation', async (t) => {
    const site = await makeSite(t);
    await makeReplicated(t, site);
    await writeAndDie(mainPath(site), 5);
    await prepare(site);
    const generations = () => readdirSync(join(site.root, 'replica', 'main', 'generations'));
    const before = generations();
    site.lines.length = 0;
    await replicate(t, site);
    await until(() => segmentsWritten(site) > 0, 'the rest is uploaded');
    t.same(generations(), before);
  });
  await t.test('the replica cannot be asked: it serves', async (t) => {
    const store = await startS3(t);
    await store.close();
    const site = await makeSite(t, s3Settings(store));
    await writeAndDie(mainPath(site), 1);
    like(t, await prepare(site), [{ outcome: 'present' }]);
  });
  await t.test('though it was never switched to WAL, because the first start was killed', async (t) => {
    const site = await makeSite(t);
    // A hot journal beside a page that is being written: only a writer may roll it back.
    const source = join(site.root, 'source.db');
    const db = new Sqlite(source);
    db.pragma('cache_size = 1');
    db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
    db.exec("INSERT INTO rows (body) VALUES ('kept')");
    db.exec('BEGIN');
    db.exec(
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO rows (body) SELECT hex(randomblob(200)) FROM n',
    );
    for (const suffix of ['', '-journal']) copyFileSync(source + suffix, mainPath(site) + suffix);
    db.close();
    like(t, await prepare(site), [{ outcome: 'present' }]);
    t.equal(contentOf(mainPath(site)).length, 1);
  });
});

t.test('what was found whole a moment ago is not read again', async (t) => {
  const site = await makeSite(t);
  await makeDamaged(t, site, (path) => {
    const content = readFileSync(path);
    writeFileSync(path, content.fill(0xff, content.length - 4096));
  });
  like(t, await prepare(site, { isChecked: true }), [{ outcome: 'present' }]);
  like(t, await prepare(site), [{ outcome: 'restored' }]);
});

t.test('the database is damaged', async (t) => {
  for (const [name, damage] of Object.entries(DAMAGES)) {
    await t.test(`${name}: it is replaced and kept aside`, async (t) => {
      const site = await makeSite(t);
      const rows = await makeDamaged(t, site, damage);
      const damaged = readFileSync(mainPath(site));
      const { log, lines } = keepingLog();
      const [prepared] = await prepare(site, { log });
      like(t, prepared, { outcome: 'restored', movedTo: /damaged\/main-\d{8}T\d{9}Z$/ });
      t.same(contentOf(mainPath(site)), rows);
      const movedTo = prepared?.movedTo as string;
      t.same(readFileSync(join(movedTo, 'main.db')), damaged);
      t.ok(existsSync(join(movedTo, '.main.db-litestream')), 'its sidecar went along');
      t.notOk(existsSync(join(site.config.DATA_DIR, '.main.db-litestream')));
      t.ok(lines.some(({ level, msg }) => level === 50 && /main is damaged/.test(msg)));
    });
  }
  await t.test('and the replica is empty: the start stops and nothing is destroyed', async (t) => {
    const site = await makeSite(t);
    await makeDamaged(t, site, DAMAGES['it is cut off'] as (path: string) => void);
    rmSync(join(site.root, 'replica'), { recursive: true });
    const expected: Expected = {
      code: 'storage_corrupt',
      message: /no copy of it.*main\.db/s,
    };
    await assertRefused(t, site, expected);
    await assertRefused(t, site, expected, { config: { ALLOW_EMPTY: '1' } });
  });
  await t.test('and the replica cannot be reached: the start stops and nothing is destroyed', async (t) => {
    const store = await startS3(t);
    const site = await makeSite(t, s3Settings(store));
    await makeDamaged(t, site, DAMAGES['it is another kind of file'] as (path: string) => void);
    await store.close();
    const expected: Expected = {
      code: 'replica_unreachable',
      message: /damaged.*nothing was changed/s,
    };
    await assertRefused(t, site, expected);
    await assertRefused(t, site, expected, { config: { ALLOW_EMPTY: '1' } });
  });
  await t.test('and so is the replica: the start stops and nothing is destroyed', async (t) => {
    const site = await makeSite(t);
    await makeDamaged(t, site, DAMAGES['it is cut off'] as (path: string) => void);
    const replica = join(site.root, 'replica');
    for (const name of Object.keys(filesIn(replica))) truncateSync(join(replica, name), 20);
    await assertRefused(t, site, { code: 'restore_failed' });
  });
});

t.test('what is no file is not taken for a damaged database', async (t) => {
  const site = await makeSite(t);
  mkdirSync(mainPath(site));
  t.equal((await failureOf(prepare(site))).code, 'data_dir_unusable');
  t.ok(existsSync(mainPath(site)));
});

t.test('what an interrupted restore left behind is cleared away', async (t) => {
  const site = await makeSite(t);
  await makeReplicated(t, site);
  loseData(site);
  const scratch = join(site.config.DATA_DIR, 'restore');
  mkdirSync(join(scratch, 'main-abc'), { recursive: true });
  writeFileSync(join(scratch, 'main.db'), 'half a database');
  like(t, await prepare(site), [{ outcome: 'restored' }]);
  t.same(readdirSync(scratch), []);
});

t.test('a start finishes what a crash has cut in half of a replacement, before it looks', async (t) => {
  const site = await makeSite(t);
  const { DATA_DIR, replica } = site.config;
  const db = openWriter(mainPath(site));
  db.exec(
    "CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL); INSERT INTO rows VALUES (1, 'kept')",
  );
  db.close();
  const folder = join(DATA_DIR, 'replaced', 'now');
  mkdirSync(folder, { recursive: true });
  renameSync(mainPath(site), join(folder, 'main.db'));
  const change = {
    kind: 'restored',
    inode: 1,
    history: historyOrNone(join(folder, 'main.db')),
    generations: [],
    abandoned: [],
    isBecauseAhead: false,
  } as const;
  const from = join(DATA_DIR, 'restore', 'main.db');
  const replacement = {
    databases: [{ database: 'main', from, folder, change, rewind: undefined, isContaining: false }],
  };
  writeMark(DATA_DIR, { ...(readMark(DATA_DIR) ?? newMark(replica.url)), replacement }, true);
  const [main] = await prepare(site);
  t.equal(main?.outcome, 'present');
  t.same(contentOf(mainPath(site)), [{ id: 1, body: 'kept' }], 'it is back, since what was to come is gone');
  t.equal(readMark(DATA_DIR)?.replacement, undefined);
});

t.test('a stop in the middle ends it at once', async (t) => {
  const site = await makeSite(t);
  await makeReplicated(t, site);
  const { binary, configPath, databases, env, config } = site;
  const log = keepingLog().log;
  const signal = AbortSignal.abort();
  t.equal(
    (await failureOf(prepareDatabases({ config, binary, configPath, databases, env, log, signal }))).code,
    'not_ready',
  );
});

/** A row changes while its index is not known, as after a write of one page that never reached the disk. */
function spoilIndex(site: Site): void {
  const edit = (change: (db: ReturnType<typeof openWriter>) => void) => {
    const db = openWriter(mainPath(site));
    db.unsafeMode();
    db.pragma('writable_schema = ON');
    change(db);
    db.close();
  };
  let index: unknown;
  edit((db) => {
    db.exec('CREATE INDEX by_body ON rows (body)');
    index = db.prepare("SELECT * FROM sqlite_schema WHERE name = 'by_body'").get();
    db.exec("DELETE FROM sqlite_schema WHERE name = 'by_body'");
  });
  edit((db) => {
    db.exec("UPDATE rows SET body = 'changed' WHERE id = 5");
    db.prepare('INSERT INTO sqlite_schema VALUES (@type, @name, @tbl_name, @rootpage, @sql)').run(index);
  });
}

t.test('an index that does not fit its table is found where damage was met while it was used', async (t) => {
  const site = await makeSite(t);
  await makeReplicated(t, site);
  const expected = contentOf(mainPath(site));
  spoilIndex(site);
  like(t, await prepare(site), [{ outcome: 'present' }], 'the check of each start does not see it');
  markDamage(site.config.DATA_DIR);
  like(t, await prepare(site), [{ outcome: 'restored' }]);
  t.same(contentOf(mainPath(site)), expected);
  t.notOk(isDamageMarked(site.config.DATA_DIR));
});

t.test('a copy that has the same damage is no cure', async (t) => {
  const site = await makeSite(t);
  await makeReplicated(t, site);
  spoilIndex(site);
  const count = site.lines.length;
  const child = await replicate(t, site);
  await until(
    () => site.lines.slice(count).some(({ message }) => message === 'wal segment written'),
    'the damage is in the replica',
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
  markDamage(site.config.DATA_DIR);
  const before = contentOf(mainPath(site));
  const failure = await failureOf(prepare(site));
  like(t, failure, { code: 'restore_failed', message: /cannot be replaced.*nothing was changed/ });
  t.same(contentOf(mainPath(site)), before);
  t.ok(isDamageMarked(site.config.DATA_DIR), 'the next start looks closely too');
});
