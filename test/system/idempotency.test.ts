import t from 'tap';
import { request, upload } from '../support/http.ts';
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
