import http from 'node:http';
import { join } from 'node:path';
import pino from 'pino';
import t, { type Test } from 'tap';
import type { Caller } from '../../src/contract/feature.ts';
import { hashOf, newKeyId, newSecret, tokenOf } from '../../src/keys/token.ts';
import { VerifiedKeys } from '../../src/keys/verified-keys.ts';
import { openReader, openWriter } from '../../src/sqlite/open.ts';
import { WriterClient } from '../../src/writer-client/client.ts';
import { writerSocketPath } from '../../src/writer-client/protocol.ts';
import { startApp } from '../support/app.ts';
import { request } from '../support/http.ts';
import { type RunningSystem, startPair, temporaryFolder, until } from '../support/system.ts';

const LANES = 8;
const REVOCATIONS = 12;

/** Sends commands as a process of the system does, and hears when they are on disk. */
function writerOf(t: Test, { dataDir }: RunningSystem): WriterClient {
  const client = new WriterClient({
    socketPath: writerSocketPath(dataDir),
    name: 'test',
    deadlineMs: 10_000,
    queueMax: 100,
    log: pino({ enabled: false }),
  });
  client.connect();
  t.teardown(() => client.close());
  return client;
}

function newKey(name: string) {
  const token = { id: newKeyId(), secret: newSecret() };
  const secretHash = hashOf(token.secret).toString('hex');
  const input = { id: token.id, name, owner: '', scope: 'read', secretHash, expiresAtMs: null };
  return { input, headers: { Authorization: `Bearer ${tokenOf(token)}` } };
}

t.test('under load, no request behind an acknowledged revocation passes in any worker', async (t) => {
  const system = await startPair(t, { RATE_LIMIT_KEY_PER_MINUTE: '0', RATE_LIMIT_ADDRESS_PER_MINUTE: '0' });
  const writer = writerOf(t, system);
  const agent = new http.Agent({ keepAlive: true, maxSockets: LANES });
  t.teardown(() => agent.destroy());
  const ask = async (headers: Record<string, string>) =>
    (await request(`${system.url}/note`, { headers, agent })).status;
  // Another one has each worker remember a key all the time, and commit after commit changes nothing for it.
  const steady = newKey('steady');
  await writer.write('keys.create', steady.input);

  for (let round = 0; round < REVOCATIONS; round += 1) {
    const { input, headers } = newKey(`victim-${round}`);
    await writer.write('keys.create', input);
    let isRevoked = false;
    const passed: number[] = [];
    const lane = async () => {
      for (let behind = 0; behind < 3; ) {
        const wasRevoked = isRevoked;
        const [status, ofSteady] = await Promise.all([ask(headers), ask(steady.headers)]);
        t.equal(ofSteady, 200);
        if (wasRevoked) behind += 1;
        if (wasRevoked ? status !== 401 : status !== 200 && status !== 401) passed.push(status);
      }
    };
    const lanes = Array.from({ length: LANES }, lane);
    await writer.write('keys.touch', { uses: [{ id: steady.input.id, atMs: Date.now() }] });
    await writer.write('keys.revoke', { key: input.id });
    isRevoked = true;
    await Promise.all(lanes);
    t.same(passed, [], `revocation ${round}`);
  }
  const roles = new Set(system.lines.filter(({ route }) => route === '/note').map(({ role }) => role));
  t.same([...roles].sort(), ['worker-1', 'worker-2'], 'both took part');
});

t.test('the first key closes every worker to all others with the very next request', async (t) => {
  const system = await startPair(t);
  const writer = writerOf(t, system);
  const agent = new http.Agent({ keepAlive: true, maxSockets: LANES });
  t.teardown(() => agent.destroy());
  const statuses = () =>
    Promise.all(
      Array.from({ length: LANES }, async () => (await request(`${system.url}/note`, { agent })).status),
    );
  t.same(new Set(await statuses()), new Set([200]));
  const { input } = newKey('first');
  await writer.write('keys.create', input);
  t.same(new Set(await statuses()), new Set([401]));
});

t.test('a key that is remembered ends by the clock: at its expiry, and when its grace is over', async (t) => {
  const app = await startApp(t);
  const status = async (headers: { Authorization: string }) =>
    (await app.call('GET', '/note', { headers })).status;
  const short = await app.keyFor('o', 'read', Date.now() + 1500);
  t.equal(await status(short), 200);
  t.equal(await status(short), 200);

  const { input, headers } = newKey('rotated');
  await app.write('keys', 'create', input);
  const next = hashOf(newSecret()).toString('hex');
  await app.write('keys', 'rotate', { key: 'rotated', secretHash: next, graceMs: 1500 });
  t.equal(await status(headers), 200);
  t.equal(await status(headers), 200);
  await until(async () => (await status(short)) === 401, 'the key expires');
  await until(async () => (await status(headers)) === 401, 'the grace ends');
});

t.test('a scope that is too small is refused for a remembered key too', async (t) => {
  const app = await startApp(t);
  const headers = await app.keyFor('o', 'read');
  for (let time = 0; time < 2; time += 1) {
    t.equal((await app.call('GET', '/note', { headers })).status, 200);
    t.equal((await app.call('DELETE', '/note/a', { headers })).status, 403);
  }
});

t.test('at most a thousand are remembered, and none beyond a commit', async (t) => {
  const path = join(temporaryFolder(t), 'main.db');
  const db = openWriter(path);
  db.exec('CREATE TABLE kept (id INTEGER PRIMARY KEY) STRICT');
  const reader = openReader(path);
  reader.prepare('SELECT count(*) FROM kept').get();
  const keys = new VerifiedKeys(reader);
  const caller: Caller = { owner: 'o' };
  const key = { id: 'i', caller, scope: 'read', lastUsedAtMs: null, untilMs: 10 } as const;
  keys.find('', 0);
  for (let index = 0; index < 1001; index += 1) keys.remember(`Bearer ${index}`, key);
  t.equal(keys.find('Bearer 0', 0), undefined, 'the oldest gave way');
  t.equal(keys.find('Bearer 1', 0), key);
  t.equal(keys.find('Bearer 1000', 9), key);
  t.equal(keys.find('Bearer 1000', 10), undefined, 'its time is over');
  t.equal(keys.find('Bearer x', 0), undefined);
  db.exec('INSERT INTO kept DEFAULT VALUES');
  t.equal(keys.find('Bearer 1', 0), undefined);
  db.close();
  reader.close();
});
