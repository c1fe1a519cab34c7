import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import t from 'tap';
import { ApplyingMark } from '../../src/writer/applying-mark.ts';
import { temporaryFolder } from '../support/system.ts';
import { type Harness, harness } from '../support/writer-harness.ts';

const LOG = pino({ level: 'silent' });
const ENDED = {
  code: 'internal',
  message: 'Nothing was written: each time that this was applied, the writer ended. It is not tried again',
};

/** Starts a writer, and another one when it has ended, until `done`. @returns how many have ended */
async function keepStarting({ start }: Harness, done: Promise<unknown>): Promise<number> {
  let ends = 0;
  let isDone = false;
  done.then(() => {
    isDone = true;
  });
  while (!isDone) {
    const writer = await start();
    await Promise.race([once(writer, 'exit'), done]);
    if (!isDone) ends += 1;
  }
  return ends;
}

t.test(
  'a write that ends its writer is refused after the second time, and all others are applied',
  async (t) => {
    const place = harness(t, { deadlineMs: 20_000 });
    const clients = [place.client, place.connect()];
    const answers = clients.flatMap((client, index) => [
      client.write('count.add', { id: `before-${index}` }),
      client.write('count.exit', { id: `exit-${index}` }),
      client.write('count.add', { id: `after-${index}` }),
    ]);
    const settled = Promise.allSettled(answers);
    const ends = await keepStarting(place, settled);
    t.equal(ends, 4, 'each of two ends two writers');
    const outcomes = await settled;
    t.strictSame(
      outcomes.map((outcome) =>
        outcome.status === 'fulfilled'
          ? 'applied'
          : { code: outcome.reason.code, message: outcome.reason.message },
      ),
      [0, 1].flatMap(() => ['applied', ENDED, 'applied']),
    );
    t.strictSame(
      place.rows().sort((a, b) => (a.id < b.id ? -1 : 1)),
      ['after-0', 'after-1', 'before-0', 'before-1'].map((id) => ({ id, times: 1 })),
    );
  },
);

t.test('a writer that is killed while it applies a write tries it once more', async (t) => {
  const { client, start } = harness(t, { deadlineMs: 20_000 });
  const first = await start({ blockMs: 60_000 });
  const answer = client.write('count.block', {});
  await once(first.stdout!, 'data');
  first.kill('SIGKILL');
  await once(first, 'exit');
  await start();
  t.strictSame(await answer, {});
});

t.test('a mark counts what ended while it named an operation, and nothing else', async (t) => {
  const path = join(temporaryFolder(t), 'applying');
  const write = { client: 'worker-1-2-ab', seq: 7, name: 'notes.add', input: { id: 'a' }, blob: undefined };
  const other = { ...write, seq: 8, input: { id: 'b' } };
  const begin = () => {
    const mark = new ApplyingMark(path, LOG, 0);
    t.teardown(() => mark.close());
    return mark;
  };
  const first = begin();
  t.equal(statSync(path).mode & 0o777, 0o600);
  first.enter({ ...other, name: 'a'.repeat(80) }, 60_000);
  first.enter(write, 60_000);
  const second = begin();
  t.strictSame([second.isRefused(write, 0), second.isRefused(other, 0)], [false, false]);
  second.enter(other, 60_000);
  second.clear();
  const third = begin();
  t.strictSame([third.endsOf(write), third.endsOf(other)], [1, 0], 'an end between commits is nobody’s');
  third.enter(write, 60_000);
  const last = begin();
  const again = { ...write, seq: 9 };
  t.equal(last.isRefused(again, 0), false, 'what it does is not known yet');
  t.strictSame([last.isRefused(write, 0), last.isRefused(other, 0)], [true, false]);
  t.strictSame(
    [last.isRefused(again, 59_999), last.isRefused({ ...again, blob: Buffer.from('b') }, 59_999)],
    [true, false],
    'who does the same is refused for a minute',
  );
  t.equal(last.isRefused(again, 60_000), false);
  t.equal(begin().endsOf(write), 2, 'it is remembered, and counts no end that was not its');
});

t.test(
  'a request that is sent again each time that it hangs its writer is refused after the third time',
  async (t) => {
    const path = join(temporaryFolder(t), 'applying');
    const request = (seq: number) => ({
      client: 'one',
      seq,
      name: 'a.b',
      input: { id: 'a' },
      blob: undefined,
    });
    const begin = (nowMs: number) => {
      const mark = new ApplyingMark(path, LOG, nowMs);
      t.teardown(() => mark.close());
      return mark;
    };
    for (const [time, nowMs] of [0, 6000, 12_000].entries()) {
      const mark = begin(nowMs);
      t.equal(mark.isRefused(request(time), nowMs), false);
      mark.enter(request(time), nowMs);
    }
    const mark = begin(18_000);
    t.strictSame([mark.isRefused(request(3), 77_999), mark.isRefused(request(3), 78_000)], [true, false]);
    t.equal(mark.isRefused({ ...request(3), input: { id: 'b' } }, 18_000), false, 'another one is not');
    mark.enter(request(3), 77_999);
    t.equal(
      begin(80_000).isRefused(request(4), 139_999),
      true,
      'and again for a minute when it hangs once more',
    );
  },
);

t.test('only the last operations are remembered, and a file that says nothing of use is none', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'applying');
  const none = { client: 'one', seq: 1, name: 'a.b', input: {}, blob: undefined };
  for (let seq = 1; seq <= 40; seq += 1) new ApplyingMark(path, LOG, 0).enter({ ...none, seq }, 60_000);
  const last = new ApplyingMark(path, LOG);
  t.equal(readFileSync(path, 'latin1').split('\n').length, 18);
  t.strictSame(
    [24, 25, 40].map((seq) => last.endsOf({ client: 'one', seq })),
    [0, 1, 1],
  );
  writeFileSync(path, Buffer.from([0, 255, 10, 7, 10, 32]));
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  t.equal(new ApplyingMark(path, log).endsOf({ client: 'one', seq: 40 }), 0);
  t.strictSame(lines, [], 'and nothing is told of it');
  mkdirSync(join(folder, 'folder'));
  const mark = new ApplyingMark(join(folder, 'folder'), LOG);
  mark.enter(none, 0);
  mark.clear();
  t.equal(mark.isRefused(none, 0), false);
});
