import type { RouterContext } from '@koa/router';
import t from 'tap';
import { features } from '../../src/features.ts';
import { idempotencyOf } from '../../src/worker/idempotency-key.ts';
import { featureOf, startApp } from '../support/app.ts';
import { alertOf, request } from '../support/http.ts';
import { IMAGES, upload } from '../support/images.ts';
import { like } from '../support/like.ts';
import { type RunningSystem, start, until } from '../support/system.ts';
import { isReplay, post, versions } from './idempotency-fixture.ts';

const anonymous = featureOf(({ route }) => {
  const tellOwner = async (ctx: RouterContext) => {
    ctx.body = JSON.stringify((await idempotencyOf(ctx, undefined))?.owner);
  };
  route.post('/public/:id', 'public', tellOwner);
  route.post('/owned', 'write', tellOwner);
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
