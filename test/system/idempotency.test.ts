import t from 'tap';
import { type Answer, request, upload } from '../support/http.ts';
import { like } from '../support/like.ts';
import { startPair } from '../support/system.ts';
import { isReplay, post, versions } from './idempotency-fixture.ts';

t.test('a request that is sent again with its key gets the same answer, and does nothing', async (t) => {
  const system = await startPair(t);
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
  const body = upload();
  const file = (key: string) =>
    request(`${url}/file`, {
      method: 'POST',
      body: body.body,
      headers: { ...body.headers, 'Idempotency-Key': key },
    });
  like(t, await file('key-1'), { status: 422, json: { code: 'idempotency_mismatch' } }, 'for another route');
  const [made, known] = [await file('key-3'), await file('key-3')];
  like(t, [made, known], [{ status: 201 }, { status: 201, text: made.text }]);
  t.ok(isReplay(known));

  const remove = () =>
    request(`${url}/note/m1`, { method: 'DELETE', headers: { 'Idempotency-Key': 'key-4' } });
  const [removed, still] = [await remove(), await remove()];
  like(t, [removed, still], [{ status: 200 }, { status: 200, text: removed.text }]);
  t.ok(isReplay(still));
  const missing = () =>
    request(`${url}/note/m3`, { method: 'DELETE', headers: { 'Idempotency-Key': 'key-5' } });
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
  const system = await startPair(t);
  const ids = Array.from({ length: 60 }, (_, index) => `killed-${index}`);
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
