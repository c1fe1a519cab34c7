import type { RouterContext } from '@koa/router';
import t from 'tap';
import { features } from '../../src/features/features.ts';
import { idempotencyOf } from '../../src/worker/idempotency-key.ts';
import { featureOf, startApp } from '../support/app.ts';
import type { Answer } from '../support/http.ts';
import { like } from '../support/like.ts';
import { start, startPair, until } from '../support/system.ts';
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

const WRITES_MAX = 600;

t.test('whatever is killed meanwhile, a write repeated with its key is applied once', async (t) => {
  const system = await startPair(t);
  const ids: string[] = [];
  let reset = 0;
  let isOver = false;
  t.teardown(() => {
    isOver = true;
  });
  /** As a client or a proxy does it that was not told what became of its request. */
  const insist = async (id: string) => {
    for (;;) {
      const answer = await post(system, id, id).catch(() => undefined);
      if (answer === undefined) reset += 1;
      else if (answer.status !== 409 && answer.status !== 503) return answer;
      if (isOver) throw new Error('the test is over');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const answers: Promise<Answer>[] = [];
  // Those that had not arrived yet wait for the next worker: more are sent until some were cut off.
  for (let index = 0; index < 60 || (reset === 0 && index < WRITES_MAX); index += 1) {
    const id = `killed-${index}`;
    ids.push(id);
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
