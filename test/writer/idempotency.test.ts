import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { like } from '../support/like.ts';
import { harness } from '../support/writer-harness.ts';
import { named, write } from './idempotency-fixture.ts';

t.test('a write that is sent again is answered as the first time, and not applied again', async (t) => {
  const { client, connect, start, rows } = harness(t);
  await start();
  const first = await write(client, 'count.add', 'a');
  await client.write('count.add', { id: 'other' });
  t.same(await write(client, 'count.add', 'a'), { ...first, isReplay: true });
  t.same(await write(connect(), 'count.add', 'a'), { ...first, isReplay: true }, 'of another worker too');
  t.strictSame(first.isReplay, false);
  like(t, rows(), [{ id: 'a', times: 1 }, { id: 'other' }]);
});

t.test(
  'what a command refuses stays refused; what it refuses for now, or a bug, may be tried again',
  async (t) => {
    const { client, start, rows } = harness(t);
    await start();
    t.same(await write(client, 'count.addThenRefuse', 'r'), { code: 'not_found', isReplay: false });
    t.same(await write(client, 'count.addThenRefuse', 'r'), { code: 'not_found', isReplay: true });
    t.same(await write(client, 'count.addThenThrow', 'b'), { code: 'internal', isReplay: false });
    t.same(await write(client, 'count.addThenThrow', 'b'), { code: 'internal', isReplay: false });
    t.same(await write(client, 'count.refuseForNow', 'b'), { code: 'not_found', isReplay: false });
    like(t, await write(client, 'count.add', 'b'), { value: {}, isReplay: false });
    like(t, rows(), [{ id: 'b', times: 1 }]);
  },
);

t.test('a key names one request of one owner', async (t) => {
  const { client, start, rows } = harness(t);
  await start();
  await write(client, 'count.add', 'a', named('k', 'one'));
  like(t, await write(client, 'count.add', 'b', named('k', 'two')), { code: 'idempotency_mismatch' });
  like(t, await write(client, 'count.add', 'b', named('k', 'two', 'bob')), { isReplay: false, value: {} });
  like(t, await write(client, 'count.add', 'a', named('k', 'one')), { isReplay: true, value: {} });
  like(t, rows(), [
    { id: 'a', times: 1 },
    { id: 'b', times: 1 },
  ]);
});

t.test('what was decided under a fingerprint of another version is answered, and not compared', async (t) => {
  const { client, start, rows } = harness(t);
  await start();
  await write(client, 'count.add', 'old', named('k', 'of-the-first-releases'));
  like(t, await write(client, 'count.add', 'a', named('k', '2.new')), { isReplay: true, value: {} });
  await write(client, 'count.add', 'new', named('l', '2.one'));
  like(t, await write(client, 'count.add', 'a', named('l', '2.two')), { code: 'idempotency_mismatch' });
  like(t, await write(client, 'count.add', 'a', named('l', '3.two')), { isReplay: true, value: {} });
  t.same(
    rows().map(({ id }) => id),
    ['old', 'new'],
  );
});

t.test('of many at once one is applied, and the others hear that it is in progress', async (t) => {
  const { client, connect, start, rows } = harness(t);
  const writer = await start({ blockMs: 300 });
  const clients = [client, connect(), connect()];
  await Promise.all(clients.map((each, index) => each.write('count.add', { id: `warm-${index}` })));
  const blocked = client.write('count.block', {});
  await once(writer.stdout as NodeJS.ReadableStream, 'data');
  // All are on their way while the writer is busy.
  const answers = Array.from({ length: 12 }, (_, index) => write(clients[index % 3]!, 'count.add', 'a'));
  const other = write(clients[1]!, 'count.add', 'a', named('a', 'another payload'));
  await nextTurn();
  await blocked;
  const outcomes = await Promise.all(answers);
  t.equal(outcomes.filter((outcome) => 'value' in outcome).length, 1);
  t.equal(outcomes.filter(({ code }) => code === 'idempotency_in_progress').length, 11);
  like(t, await other, { code: 'idempotency_mismatch' });
  like(t, await write(clients[2]!, 'count.add', 'a'), { isReplay: true, value: {} });
  like(
    t,
    rows().filter(({ id }) => id === 'a'),
    [{ times: 1 }],
  );
});

t.test('a key is forgotten when its time is over, and its row goes', async (t) => {
  const { client, start, rows, count } = harness(t);
  await start({ retentionMs: 2000 });
  for (let index = 0; index < 250; index += 1) void write(client, 'count.add', `old-${index}`);
  await write(client, 'count.add', 'a');
  t.equal(count('writer_idempotency'), 251);
  let answer = await write(client, 'count.add', 'a');
  t.equal(answer.isReplay, true);
  while (answer.isReplay) answer = await write(client, 'count.add', 'a');
  like(
    t,
    rows().find(({ id }) => id === 'a'),
    { times: 2 },
  );
  while (count('writer_idempotency') > 1) await client.write('count.add', { id: 'goes on' });
  t.pass('the old ones are gone');
});
