import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { execPath } from 'node:process';
import t, { type Test } from 'tap';
import { databasePath } from '../../src/replication/litestream-config.ts';
import { type RestoreOptions, restoreDatabase } from '../../src/replication/restore.ts';
import { clarified } from '../../src/replication/restore-failure.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import {
  contentOf,
  failureOf,
  filesIn,
  keepingLog,
  makeReplicated,
  makeSite,
  type Site,
  s3Settings,
} from './fixture.ts';

function optionsFor(site: Site, more: Partial<RestoreOptions> = {}): RestoreOptions {
  const { binary, configPath, env, config } = site;
  return {
    binary,
    configPath,
    env,
    config,
    database: 'main',
    outputPath: join(site.root, 'out.db'),
    scratchDir: join(site.root, 'scratch'),
    log: keepingLog().log,
    ...more,
  };
}

/** After a failure nothing may be left: neither the output nor half of it. */
function assertNothingLeft(t: Test, site: Site): void {
  t.notOk(existsSync(join(site.root, 'out.db')), 'no output');
  t.same(existsSync(join(site.root, 'scratch')) ? readdirSync(join(site.root, 'scratch')) : [], []);
}

/** The folder of the one generation of database main in a file replica. */
function generationDir(site: Site): string {
  const generations = join(site.root, 'replica', 'main', 'generations');
  return join(generations, readdirSync(generations)[0] as string);
}

t.test('a database comes back from a folder with every row', async (t) => {
  const site = await makeSite(t);
  await makeReplicated(t, site);
  const before = filesIn(site.config.DATA_DIR);
  const progress: number[] = [];
  const onProgress = ({ elapsedMs }: { elapsedMs: number }) => void progress.push(elapsedMs);

  t.ok(await restoreDatabase(optionsFor(site, { onProgress })));

  t.same(contentOf(join(site.root, 'out.db')), contentOf(databasePath(site.config.DATA_DIR, 'main')));
  t.same(filesIn(site.config.DATA_DIR), before, 'the database itself was not touched');
  t.same(readdirSync(join(site.root, 'scratch')), []);
});

t.test('a database comes back from a bucket with every row', async (t) => {
  const store = await startS3(t);
  const site = await makeSite(t, s3Settings(store));
  await makeReplicated(t, site);
  t.ok(await restoreDatabase(optionsFor(site)));
  t.same(contentOf(join(site.root, 'out.db')), contentOf(databasePath(site.config.DATA_DIR, 'main')));
});

t.test('nothing was ever replicated', async (t) => {
  await t.test('to a folder that is not there yet', async (t) => {
    const site = await makeSite(t);
    t.notOk(await restoreDatabase(optionsFor(site)));
    assertNothingLeft(t, site);
  });
  await t.test('to a folder that is empty', async (t) => {
    const site = await makeSite(t);
    mkdirSync(join(site.root, 'replica', 'main', 'generations'), { recursive: true });
    t.notOk(await restoreDatabase(optionsFor(site)));
  });
  await t.test('to a bucket', async (t) => {
    const site = await makeSite(t, s3Settings(await startS3(t)));
    t.notOk(await restoreDatabase(optionsFor(site)));
    assertNothingLeft(t, site);
  });
});

t.test('a replica that cannot be reached is never taken for an empty one', async (t) => {
  await t.test('the folder around it is missing, as when a disk is not mounted', async (t) => {
    const site = await makeSite(t, { REPLICA_URL: `file:${join(t.testdir(), 'mnt', 'replica')}` });
    const failure = await failureOf(restoreDatabase(optionsFor(site)));
    like(t, failure, { code: 'replica_unreachable', message: /REPLICA_URL.*mounted/ });
    assertNothingLeft(t, site);
  });
  await t.test('something else than a folder is there', async (t) => {
    const site = await makeSite(t);
    writeFileSync(join(site.root, 'replica'), '');
    t.equal((await failureOf(restoreDatabase(optionsFor(site)))).code, 'replica_unreachable');
  });
  await t.test('nobody listens', async (t) => {
    const store = await startS3(t);
    await store.close();
    const site = await makeSite(t, s3Settings(store));
    const failure = await failureOf(restoreDatabase(optionsFor(site)));
    like(t, failure, { code: 'replica_unreachable', message: /ECONNREFUSED.*S3_ENDPOINT/ });
    assertNothingLeft(t, site);
  });
  await t.test('the bucket does not exist', async (t) => {
    const store = await startS3(t);
    const site = await makeSite(t, s3Settings({ ...store, bucket: 'another-bucket' }));
    const failure = await failureOf(restoreDatabase(optionsFor(site)));
    like(t, failure, { code: 'replica_unreachable', message: /NoSuchBucket/ });
  });
  await t.test('the access key is not known', async (t) => {
    const store = await startS3(t);
    const credentials = { AWS_ACCESS_KEY_ID: 'NOBODYKNOWSTHISID', AWS_SECRET_ACCESS_KEY: 'S3RVER' };
    const site = await makeSite(t, s3Settings({ ...store, credentials }));
    const failure = await failureOf(restoreDatabase(optionsFor(site)));
    like(t, failure, { code: 'replica_unreachable', message: /InvalidAccessKeyId.*AWS_SECRET_ACCESS_KEY/ });
    t.notMatch(failure.message, 'NOBODYKNOWSTHISID', 'credentials are not shown');
  });
  for (const [status, code] of [
    [403, 'SignatureDoesNotMatch'],
    [403, 'AccessDenied'],
    [400, 'ExpiredToken'],
    [503, 'SlowDown'],
    [500, 'InternalError'],
  ] as const) {
    await t.test(`the store answers ${code}`, async (t) => {
      const store = createHttpServer((_, response) => {
        response.writeHead(status, { 'content-type': 'application/xml' });
        response.end(`<Error><Code>${code}</Code><Message>No: something</Message></Error>`);
      });
      await once(store.listen(0, '127.0.0.1'), 'listening');
      t.teardown(() => store.close());
      const { port } = store.address() as AddressInfo;
      const site = await makeSite(t, {
        REPLICA_URL: 's3://bucket/prefix',
        S3_ENDPOINT: `http://127.0.0.1:${port}`,
        AWS_ACCESS_KEY_ID: 'someone',
        AWS_SECRET_ACCESS_KEY: 'something',
      });
      const failure = await failureOf(restoreDatabase(optionsFor(site)));
      like(t, failure, {
        code: 'replica_unreachable',
        message: new RegExp(`^The replica s3://bucket/prefix cannot be reached: ${code}\\b`),
      });
      t.notMatch(failure.message, 'something', 'credentials are not shown');
    });
  }
  await t.test('the store takes connections and never answers', async (t) => {
    const sockets = new Set<Socket>();
    const hole = createServer((socket) => sockets.add(socket.on('error', () => {})));
    await once(hole.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      hole.close();
    });
    const { port } = hole.address() as AddressInfo;
    const site = await makeSite(t, {
      REPLICA_URL: 's3://bucket/prefix',
      S3_ENDPOINT: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'someone',
      AWS_SECRET_ACCESS_KEY: 'something',
    });
    const failure = await failureOf(restoreDatabase(optionsFor(site, { stallTimeoutMs: 500 })));
    like(t, failure, { code: 'replica_unreachable', message: /no answer within 500 ms/ });
    assertNothingLeft(t, site);

    const abort = new AbortController();
    const restoring = failureOf(restoreDatabase(optionsFor(site, { signal: abort.signal })));
    const seen = sockets.size;
    hole.once('connection', () => abort.abort());
    t.equal((await restoring).code, 'not_ready', 'an abort ends it');
    t.ok(sockets.size > seen);
    assertNothingLeft(t, site);
  });
});

t.test('a replica that is broken is neither empty nor half restored', async (t) => {
  const breaks: Record<string, (site: Site) => void> = {
    'the snapshot is gone': (site) => rmSync(join(generationDir(site), 'snapshots'), { recursive: true }),
    'the snapshot is cut off': (site) =>
      truncateSync(join(generationDir(site), 'snapshots', '00000000.snapshot.lz4'), 100),
    'the snapshot is something else': (site) =>
      writeFileSync(join(generationDir(site), 'snapshots', '00000000.snapshot.lz4'), 'x'.repeat(4096)),
    'only a half-written snapshot is there': (site) => {
      const folder = generationDir(site);
      rmSync(folder, { recursive: true });
      mkdirSync(join(folder, 'snapshots'), { recursive: true });
      writeFileSync(join(folder, 'snapshots', '00000000.snapshot.lz4.tmp'), 'half');
    },
  };
  for (const [name, breakIt] of Object.entries(breaks)) {
    await t.test(name, async (t) => {
      const site = await makeSite(t);
      await makeReplicated(t, site);
      breakIt(site);
      const failure = await failureOf(restoreDatabase(optionsFor(site)));
      like(t, failure, { code: 'restore_failed', message: /main/ });
      assertNothingLeft(t, site);
    });
  }
});

t.test('a snapshot that no WAL follows yet is passed over for the one before', async (t) => {
  const site = await makeSite(t);
  await makeReplicated(t, site);
  const dir = generationDir(site);
  const rows = contentOf(databasePath(site.config.DATA_DIR, 'main'));
  // As when the machine is lost right after a periodic snapshot: its index is beyond every WAL in the replica.
  writeFileSync(
    join(dir, 'snapshots', '00000007.snapshot.lz4'),
    readFileSync(join(dir, 'snapshots', '00000000.snapshot.lz4')),
  );
  t.ok(await restoreDatabase(optionsFor(site)));
  t.same(contentOf(join(site.root, 'out.db')), rows);
});

t.test('it never overwrites', async (t) => {
  const site = await makeSite(t);
  writeFileSync(join(site.root, 'out.db'), 'precious');
  t.equal((await failureOf(restoreDatabase(optionsFor(site)))).code, 'file_exists');
});

t.test('a Litestream that cannot be started is a failure, not an empty replica', async (t) => {
  const site = await makeSite(t, s3Settings(await startS3(t)));
  await makeReplicated(t, site);
  const binary = { path: join(site.root, 'nothing'), version: '0.3.13', format: 'wal' as const };
  const unstarted = await failureOf(restoreDatabase(optionsFor(site, { binary })));
  t.equal(unstarted.code, 'restore_failed');
  like(t, clarified(unstarted), { code: 'restore_failed' }, 'nor one that is damaged');
  const killed = { ...binary, path: join(site.root, 'killed') };
  writeFileSync(killed.path, '#!/bin/sh\nkill -KILL $$', { mode: 0o700 });
  like(t, clarified(await failureOf(restoreDatabase(optionsFor(site, { binary: killed })))), {
    code: 'restore_failed',
  });
  const notLitestream = { path: execPath, version: '0.3.13', format: 'wal' as const };
  const ended = await failureOf(restoreDatabase(optionsFor(site, { binary: notLitestream })));
  t.equal(ended.code, 'restore_failed');
  like(t, clarified(ended), { code: 'replica_damaged' });
});
