import type { RouterContext } from '@koa/router';
import t from 'tap';
import { features } from '../../src/features.ts';
import { idempotencyOf } from '../../src/worker/idempotency-key.ts';
import { featureOf, startApp } from '../support/app.ts';
import { like } from '../support/like.ts';
import { start, until } from '../support/system.ts';
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
