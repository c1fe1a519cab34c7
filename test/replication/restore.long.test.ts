import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { restoreDatabase } from '../../src/replication/restore.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { failureOf, makeSite, s3Settings } from './fixture.ts';
import { assertNothingLeft, optionsFor } from './restore-fixture.ts';

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
    like(t, failure, {
      code: 'replica_unreachable',
      message: /: InvalidAccessKeyId, .*\. Correct AWS_ACCESS_KEY_ID\.$/,
    });
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
