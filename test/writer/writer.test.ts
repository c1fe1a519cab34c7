import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createConnection } from 'node:net';
import t from 'tap';
import type { Failure } from '../../src/platform/errors.ts';
import { encodeFrame, FrameReader } from '../../src/writer-client/frames.ts';
import { monotonicNowMs, type WireOutcomes, WRITER_PROTOCOL } from '../../src/writer-client/protocol.ts';
import { like } from '../support/like.ts';
import { harness } from '../support/writer-harness.ts';

t.test('writes that arrive together go into one commit, and each gets its own answer', async (t) => {
  const { client, start, rows } = harness(t);
  await start();
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, index) => client.write('count.add', { id: `${index}` })),
  );
  t.equal(new Set(answers.map((answer) => (answer as { commit: number }).commit)).size < 30, true);
  t.equal(rows().length, 300);
});

t.test('an operation that fails in a batch fails alone, and leaves nothing half-done', async (t) => {
  const { client, start, rows } = harness(t);
  await start();
  const answers = await Promise.allSettled([
    client.write('count.add', { id: 'before' }),
    client.write('count.addThenThrow', { id: 'bad' }),
    client.write('count.addThenRefuse', { id: 'refused' }),
    client.write('count.add', { id: 'after' }),
  ]);
  like(t, answers, [
    { status: 'fulfilled' },
    { status: 'rejected', reason: { code: 'internal' } },
    { status: 'rejected', reason: { code: 'not_found', message: 'refused by its command' } },
    { status: 'fulfilled' },
  ]);
  t.same(
    rows()
      .map(({ id }) => id)
      .sort(),
    ['after', 'before'],
  );
});

t.test('what a writer of another release would not apply as it is meant is refused for now', async (t) => {
  const { client, start, rows } = harness(t);
  await start();
  const answers = await Promise.allSettled([
    client.write('count.add', { id: 'a', unknown: 1 }),
    client.write('count.add', { id: 7 }),
    client.write('count.add', {}),
    client.write('count.nothing', {}),
    client.write('count.add', { id: 'b' }),
  ]);
  const refused = {
    code: 'writer_mismatch',
    message: 'The writer runs another release, try again soon',
    options: { retryAfterSeconds: 1 },
  };
  const reasons = answers.slice(0, 4).map((answer) => {
    const { code, message, options } = (answer as PromiseRejectedResult).reason as Failure;
    return { code, message, options };
  });
  t.strictSame(reasons, [refused, refused, refused, refused]);
  t.equal(answers[4]!.status, 'fulfilled');
  t.strictSame(
    rows().map(({ id }) => id),
    ['b'],
  );
});

t.test('a client that speaks another protocol is refused, write by write', async (t) => {
  const { start, socketPath, rows } = harness(t);
  await start();
  const outcomesFor = async (hello: object) => {
    const socket = createConnection(socketPath);
    t.teardown(() => socket.destroy());
    const received = Promise.withResolvers<unknown>();
    const reader = new FrameReader(received.resolve);
    socket.on('data', (chunk) => reader.push(chunk));
    const ops = ['a', 'b'].map((id, index) => [
      index + 1,
      'count.add',
      monotonicNowMs() + 5000,
      { id },
      0,
      0,
    ]);
    socket.write(encodeFrame(JSON.stringify(hello)));
    socket.write(encodeFrame(JSON.stringify({ acks: [], ops })));
    return ((await received.promise) as WireOutcomes).map(([seq, outcome]) => [
      seq,
      'code' in outcome ? outcome.code : 'applied',
    ]);
  };
  const refused = [
    [1, 'writer_mismatch'],
    [2, 'writer_mismatch'],
  ];
  t.strictSame(await outcomesFor({ client: 'next', protocol: WRITER_PROTOCOL + 1 }), refused);
  t.strictSame(await outcomesFor({ client: 'none' }), refused);
  t.strictSame(rows(), []);
  t.strictSame(await outcomesFor({ client: 'same', protocol: WRITER_PROTOCOL }), [
    [1, 'applied'],
    [2, 'applied'],
  ]);
});

t.test('a blob arrives byte for byte beside its operation', async (t) => {
  const { client, start } = harness(t);
  await start();
  const blobs = [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(3_000_000, 'abc'), Buffer.from('last')];
  const sizes = await Promise.all(blobs.map((blob) => client.write('count.measure', {}, { blob })));
  like(t, sizes, [
    { sizeBytes: 0 },
    { sizeBytes: 1 },
    { sizeBytes: 3_000_000, tail: 'abc' },
    { tail: 'ast' },
  ]);
});

t.test('without a writer a write ends at its deadline, saying that nothing was applied', async (t) => {
  const { client, start, rows } = harness(t, { deadlineMs: 500 });
  await t.rejects(client.write('count.add', { id: 'late' }), { code: 'write_timeout' });
  await start();
  await client.write('count.add', { id: 'next' });
  t.same(
    rows().map(({ id }) => id),
    ['next'],
  );
});

t.test('a write that waited past its deadline inside the writer is not applied', async (t) => {
  const { client, start, rows } = harness(t, { deadlineMs: 500 });
  const writer = await start({ blockMs: 1000 });
  const first = client.write('count.block', {});
  await once(writer.stdout as NodeJS.ReadableStream, 'data');
  await t.rejects(client.write('count.add', { id: 'late' }), { code: 'write_timeout' });
  await first;
  t.same(rows(), []);
});

t.test('what waits while the writer decides nothing is not given up', async (t) => {
  const { client, start } = harness(t, { deadlineMs: 500 });
  const writer = await start({ blockMs: 2500 });
  const blocked = client.write('count.block', {});
  await once(writer.stdout as NodeJS.ReadableStream, 'data');
  client.hold();
  t.strictSame(await blocked, {});
  client.go();
  await t.rejects(client.write('count.block', {}), { code: 'write_undecided' }, 'as it is without');
});

t.test('a full queue refuses at once with the time to come back', async (t) => {
  const { client } = harness(t, { queueMax: 3, deadlineMs: 100 });
  const answers = await Promise.allSettled(
    Array.from({ length: 5 }, (_, index) => client.write('count.add', { id: `${index}` })),
  );
  like(t, answers.slice(3), [
    { reason: { code: 'writer_busy', options: { retryAfterSeconds: 1 } } },
    { reason: { code: 'writer_busy' } },
  ]);
});

t.test("the writer's own queue is bounded too", async (t) => {
  const { client, start } = harness(t);
  await start({ queueMax: 2, blockMs: 300 });
  const answers = await Promise.allSettled([
    client.write('count.block', {}),
    ...Array.from({ length: 5 }, (_, index) => client.write('count.add', { id: `${index}` })),
  ]);
  const busy = answers.filter(
    (answer) => answer.status === 'rejected' && answer.reason.code === 'writer_busy',
  );
  t.equal(busy.length, 4);
});

t.test('the socket is for its owner alone', async (t) => {
  const { start, socketPath } = harness(t);
  await start();
  t.equal(statSync(socketPath).mode & 0o777, 0o600);
});
