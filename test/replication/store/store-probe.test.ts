import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Weather } from '../../../loadtest/support/store-proxy.ts';
import { loadConfig } from '../../../src/config/config.ts';
import { StoreProbe, silenceOf } from '../../../src/replication/store/store-probe.ts';
import { startS3, startStoreProxy } from '../../support/s3.ts';
import { temporaryFolder } from '../../support/system.ts';

const ANY_BUCKET = {
  REPLICA_URL: 's3://any/prefix',
  AWS_ACCESS_KEY_ID: 'any',
  AWS_SECRET_ACCESS_KEY: 'anyanyany',
};

/** Serves as long as the test takes. @returns its URL */
async function serve(t: Test, server: http.Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test(
  'a store is silent when it refuses, hangs or is unavailable, and not when it answers anything',
  async (t) => {
    const store = await startS3(t);
    const proxy = await startStoreProxy(t, store);
    const dir = temporaryFolder(t);
    const settings = { DATA_DIR: dir, REPLICA_URL: 's3://any/prefix', S3_ENDPOINT: proxy.endpoint };
    const { config } = loadConfig({ ...settings, ...store.credentials }, dir);
    const expected: [Weather, RegExp | undefined][] = [
      ['open', undefined],
      ['refuse', /cannot be reached \(ECONNREFUSED\)/],
      ['unavailable', /answers with 503/],
      ['hang', /says nothing for 2 s/],
    ];
    for (const [weather, silence] of expected) {
      await proxy.become(weather);
      const found = await silenceOf(config);
      if (silence) t.match(found, silence, weather);
      else t.equal(found, undefined, weather);
    }
  },
);

t.test('a store that lets nobody ask any more says so', async (t) => {
  const endpoint = await serve(
    t,
    http.createServer((_, response) => response.writeHead(429).end()),
  );
  const { config } = loadConfig({ ...ANY_BUCKET, S3_ENDPOINT: endpoint }, '/tmp');
  t.equal(await silenceOf(config), 'the store answers with 429');
});

t.test('a store that is asked too much is there: an answer of 503 is asked again', async (t) => {
  let asked = 0;
  const endpoint = await serve(
    t,
    http.createServer((_, response) => {
      asked += 1;
      response.writeHead(asked < 3 ? 503 : 403).end();
    }),
  );
  const { config } = loadConfig({ ...ANY_BUCKET, S3_ENDPOINT: endpoint }, '/tmp');
  t.equal(await silenceOf(config), undefined);
  t.equal(asked, 3);
});

t.test('a folder is silent when the one that it is in is gone', async (t) => {
  const dir = temporaryFolder(t);
  const { config } = loadConfig({ DATA_DIR: dir, REPLICA_URL: `file:${join(dir, 'disk', 'replica')}` }, dir);
  t.match(await silenceOf(config), /disk cannot be read \(ENOENT\)/);
  const { config: there } = loadConfig({ DATA_DIR: dir, REPLICA_URL: `file:${join(dir, 'replica')}` }, dir);
  t.equal(await silenceOf(there), undefined);
});

t.test('one lost answer is no outage, unless something else is wrong already', async (t) => {
  const dir = temporaryFolder(t);
  const { config } = loadConfig({ DATA_DIR: dir, REPLICA_URL: `file:${join(dir, 'disk', 'replica')}` }, dir);
  const told = Promise.withResolvers<string | undefined>();
  const probe = new StoreProbe({ config, isUrgent: () => false, onResult: told.resolve });
  t.teardown(() => probe.stop());
  probe.start();
  // The timers do not keep this process alive.
  const alive = setInterval(() => {}, 1000);
  t.match(await told.promise, /cannot be read/);
  probe.stop();
  const toldAtOnce = Promise.withResolvers<string | undefined>();
  const alert = new StoreProbe({ config, isUrgent: () => true, onResult: toldAtOnce.resolve });
  t.teardown(() => alert.stop());
  alert.start();
  alert.wake();
  t.match(await toldAtOnce.promise, /cannot be read/);
  clearInterval(alive);
});

t.test('a store that is back is heard, though what was asked before is never answered', async (t) => {
  let asked = 0;
  const store = http.createServer((_, response) => {
    asked += 1;
    if (asked > 1) response.end();
  });
  const dir = temporaryFolder(t);
  const S3_ENDPOINT = await serve(t, store);
  const { config } = loadConfig({ DATA_DIR: dir, S3_ENDPOINT, ...ANY_BUCKET }, dir);
  const results: (string | undefined)[] = [];
  const told = Promise.withResolvers<void>();
  const probe = new StoreProbe({
    config,
    isUrgent: () => true,
    onResult(silence) {
      results.push(silence);
      told.resolve();
    },
  });
  t.teardown(() => probe.stop());
  probe.start();
  await told.promise;
  t.same(results, [undefined], 'the first was not waited for');
});

t.test('a first silence is asked about again soon, not at the pace of calm weather', async (t) => {
  const dir = temporaryFolder(t);
  const askedAtMs: number[] = [];
  const store = http.createServer((request) => {
    askedAtMs.push(performance.now());
    request.socket.destroy();
  });
  const S3_ENDPOINT = await serve(t, store);
  const { config } = loadConfig({ DATA_DIR: dir, S3_ENDPOINT, ...ANY_BUCKET }, dir);
  const told = Promise.withResolvers<string | undefined>();
  const probe = new StoreProbe({ config, isUrgent: () => false, onResult: told.resolve });
  t.teardown(() => probe.stop());
  probe.start();
  t.match(await told.promise, /cannot be reached \(ECONNRESET\)/);
  t.equal(askedAtMs.length, 2);
  // Four seconds in calm weather.
  t.ok(askedAtMs[1]! - askedAtMs[0]! < 3000);
});
