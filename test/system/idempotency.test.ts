import { join } from 'node:path';
import type { RouterContext } from '@koa/router';
import t from 'tap';
import { features } from '../../src/features.ts';
import { openReader } from '../../src/sqlite/open.ts';
import { idempotencyOf } from '../../src/worker/idempotency-key.ts';
import { featureOf, startApp } from '../support/app.ts';
import { type Answer, alertOf, request } from '../support/http.ts';
import { IMAGES, upload } from '../support/images.ts';
import { like } from '../support/like.ts';
import { type RunningSystem, start, until } from '../support/system.ts';

const post = ({ url }: RunningSystem, id: string, key: string, headers: Record<string, string> = {}) =>
  request(`${url}/alert`, {
    method: 'POST',
    body: alertOf(id),
    headers: { ...headers, 'Idempotency-Key': key },
  });

const anonymous = featureOf(({ route }) => {
  const tellOwner = async (ctx: RouterContext) => {
    ctx.body = JSON.stringify((await idempotencyOf(ctx, undefined))?.owner);
  };
  route.post('/public/:id', 'public', tellOwner);
  route.post('/owned', 'write', tellOwner);
});

const isReplay = ({ headers }: Answer) => headers['idempotent-replayed'] === 'true';

/** How often each alert was put. */
function versions({ dataDir }: RunningSystem): Record<string, number> {
  const db = openReader(join(dataDir, 'main.db'));
  const rows = db.prepare<[], [string, number]>('SELECT movie_id, version FROM alerts').raw().all();
  db.close();
  return Object.fromEntries(rows);
}

t.test('a request that is sent again with its key gets the same answer, and does nothing', async (t) => {
  const system = await start(t);
  const { url } = system;
  const first = await post(system, 'm1', '"key-1"');
  const again = await post(system, 'm1', 'key-1');
  t.equal(first.status, 201);
  t.notOk(isReplay(first));
  like(t, again, { status: 201, text: first.text, headers: { location: first.headers.location } });
  t.ok(isReplay(again), 'in quotes or bare, it is the same key');
  t.equal((await post(system, 'm1', 'key-2')).status, 200, 'another key is another request');
  t.equal(versions(system).m1, 2);

  const other = await post(system, 'm2', 'key-1');
  like(t, other, { status: 422, json: { code: 'idempotency_mismatch' } });
  const body = upload(IMAGES['image/png']);
  const image = (key: string) =>
    request(`${url}/movie/image`, {
      method: 'POST',
      body: body.body,
      headers: { ...body.headers, 'Idempotency-Key': key },
    });
  like(t, await image('key-1'), { status: 422, json: { code: 'idempotency_mismatch' } }, 'for another route');
  const [made, known] = [await image('key-3'), await image('key-3')];
  like(t, [made, known], [{ status: 201 }, { status: 201, text: made.text }]);
  t.ok(isReplay(known));

  const remove = () =>
    request(`${url}/alert/movie/m1`, { method: 'DELETE', headers: { 'Idempotency-Key': 'key-4' } });
  const [removed, still] = [await remove(), await remove()];
  like(t, [removed, still], [{ status: 200 }, { status: 200, text: removed.text }]);
  t.ok(isReplay(still));
  const missing = () =>
    request(`${url}/alert/movie/m3`, { method: 'DELETE', headers: { 'Idempotency-Key': 'key-5' } });
  t.notOk(isReplay(await missing()));
  await post(system, 'm3', 'key-6');
  const refused = await missing();
  like(
    t,
    refused,
    { status: 404, json: { code: 'not_found' } },
    'also a refusal, though it would succeed now',
  );
  t.ok(isReplay(refused));

  for (const key of [
    '',
    ' ',
    '""',
    '"a',
    'a"',
    'a b',
    'a,b',
    'a, a',
    'ä',
    '"\\n"',
    'x'.repeat(256),
    '"a", "b"',
  ]) {
    const answer = await post(system, 'm4', key);
    like(t, answer, { status: 422, json: { errors: [{ field: 'Idempotency-Key' }] } }, `not ${key}`);
  }
  for (const key of ['x'.repeat(255), '"a b"', '"\\"\\\\"', '8e03978e-40d5-43dd-bc93-6894a57f9324']) {
    t.equal((await post(system, key.slice(0, 100), key)).status, 201, key);
  }
});

t.test('whatever is killed meanwhile, a write repeated with its key is applied once', async (t) => {
  const system = await start(t);
  const ids = Array.from({ length: 60 }, (_, index) => `killed-${index}`);
  let reset = 0;
  /** As a client or a proxy does it that was not told what became of its request. */
  const insist = async (id: string) => {
    for (;;) {
      const answer = await post(system, id, id).catch(() => undefined);
      if (answer === undefined) reset += 1;
      else if (answer.status !== 409 && answer.status !== 503) return answer;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const answers: Promise<Answer>[] = [];
  for (const [index, id] of ids.entries()) {
    answers.push(insist(id), insist(id));
    if (index % 20 === 10) {
      const from = system.lines.length;
      for (const name of ['worker-1', 'writer', 'worker-2']) process.kill(system.pidOf(name), 'SIGKILL');
      await Promise.all(
        ['worker-1', 'writer', 'worker-2'].map((name) =>
          system.waitFor((line) => line.msg.startsWith(`${name} ready`), from),
        ),
      );
    }
  }
  const statuses = new Set((await Promise.all(answers)).map(({ status }) => status));
  t.same([...statuses], [201], 'every answer is that of the first');
  t.ok(reset > 0, 'requests were cut off');
  const applied = versions(system);
  t.same(
    ids.filter((id) => applied[id] !== 1),
    [],
    'each was applied once',
  );
});

t.test('a repetition of what the replica had not confirmed in time waits for it anew', async (t) => {
  const system = await start(t, { REPLICATED_TIMEOUT_MS: '250' });
  // One that comes soon before an upload is confirmed in time; the others are not.
  let id = 0;
  const put = () => post(system, `m${id}`, `k${id}`, { Durability: 'replicated' });
  let first = await put();
  while (first.status === 201 && id < 20) {
    id += 1;
    first = await put();
  }
  like(t, first, { status: 504, json: { code: 'replication_timeout' } });
  let answer = first;
  await until(async () => {
    answer = await put();
    return answer.status !== 504;
  }, 'the replica holds it');
  like(t, answer, { status: 201, headers: { durability: 'replicated' } });
  t.ok(isReplay(answer));
  t.equal(versions(system)[`m${id}`], 1);
});

t.test('a repetition gets the first answer also after the day and the settings have changed', async (t) => {
  // The day of the first zone is always past in the second.
  const [early, late] = ['Pacific/Pago_Pago', 'Pacific/Kiritimati'];
  const today = new Intl.DateTimeFormat('sv-SE', { timeZone: early }).format(new Date());
  const alert = { ...alertOf('dated'), notification_date: today };
  const image = upload(Buffer.concat([IMAGES['image/png'], Buffer.alloc(1024 * 1024)]));
  const send = async ({ url }: RunningSystem, keys: readonly string[]) => {
    const headers = (index: number) => (keys[index] ? { 'Idempotency-Key': keys[index] } : undefined);
    const answers = [
      await request(`${url}/alert`, { method: 'POST', body: alert, headers: { ...headers(0) } }),
      await request(`${url}/movie/image`, {
        method: 'POST',
        body: image.body,
        headers: { ...image.headers, ...headers(1) },
      }),
    ];
    return answers.map(({ status, text, headers: { location } }) => ({ status, text, location }));
  };
  const keys = ['alert', 'image'];
  const before = await start(t, { TIMEZONE: early, PUBLIC_URL: 'https://one.example.org' });
  const first = await send(before, keys);
  t.same(
    first.map(({ status }) => status),
    [201, 201],
  );
  await before.stop();
  const settings = { TIMEZONE: late, PUBLIC_URL: 'https://two.example.org', UPLOAD_QUOTA_MB: '1' };
  const after = await start(t, settings, before.dataDir);
  t.same(await send(after, keys), first, 'the first answers, byte for byte');
  const [refused, known] = await send(after, []);
  like(t, refused, { status: 422, text: /not past/ }, 'a new one is refused');
  like(t, known, { status: 200, location: /^https:\/\/two\./ });
});

t.test('whoever needs no key takes no key of others', async (t) => {
  const app = await startApp(t, { features: [...features, anonymous] });
  const keyed = await app.keyFor('', 'write');
  const ownerOf = async (method: string, path: string, headers: Record<string, string> = {}) =>
    (await app.call(method, path, { headers: { 'Idempotency-Key': 'k', ...headers } })).text;
  const [one, again, other, own] = [
    await ownerOf('POST', '/public/a'),
    await ownerOf('POST', '/public/a'),
    await ownerOf('POST', '/public/b'),
    await ownerOf('POST', '/owned', keyed),
  ];
  t.equal(one, again, 'a repetition finds its own');
  t.equal(new Set([one, other, own]).size, 3);
  t.equal(own, '""');
});
