import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import pino from 'pino';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { loadConfig } from '../../src/config/config.ts';
import { type Command, defineCommand } from '../../src/contract/command.ts';
import { appConfigOf } from '../../src/features/app-settings.ts';
import type { Families } from '../../src/metrics/catalog.ts';
import { Meter } from '../../src/metrics/meter.ts';
import { Observer } from '../../src/metrics/observer.ts';
import { Failure } from '../../src/platform/errors.ts';
import { migrate } from '../../src/sqlite/migrations.ts';
import { ApplyingMark } from '../../src/writer/applying-mark.ts';
import { Committer, type CommitterOptions } from '../../src/writer/committer.ts';
import { IdempotencyKeys } from '../../src/writer/idempotency.ts';
import { Ledger } from '../../src/writer/ledger.ts';
import { type Idempotency, monotonicNowMs, type Outcome } from '../../src/writer-client/protocol.ts';
import { like } from '../support/like.ts';
import { temporaryFolder } from '../support/system.ts';

const CONFIG = await appConfigOf(loadConfig({}, '/tmp').config);
const MIGRATIONS = new URL('../../src/sqlite/migrations/', import.meta.url);

/** @param input what this release's command takes */
const countOf = (input: z.ZodType) =>
  defineCommand({
    input,
    prepare: (db) => {
      const add = db.prepare('UPDATE counted SET n = n + 1 RETURNING n').pluck();
      return () => add.get();
    },
  });

const METRICS: Families = { counts_total: { type: 'counter', help: 'Counts.', labels: [] } };

/** Observes, and then does as it is told. */
const observing = defineCommand({
  input: z.object({ fate: z.enum(['kept', 'refused', 'full', 'unknown']) }),
  prepare:
    () =>
    ({ fate }, context) => {
      const observe = context.observe as (name: string, value: number) => void;
      observe(fate === 'unknown' ? 'nothing_total' : 'counts_total', 1);
      if (fate === 'refused') throw new Failure('not_found', 'It is not to be');
      if (fate === 'full') throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
      return {};
    },
});

/** A committer as each new writer has it, over one database. */
function makeCommitter(t: Test) {
  const db = new Sqlite(':memory:');
  t.teardown(() => db.close());
  migrate(db, [{ name: 'writer', migrations: MIGRATIONS }]);
  db.exec('CREATE TABLE counted (n INTEGER NOT NULL); INSERT INTO counted VALUES (0)');
  let refusal: Failure | undefined;
  const meter = new Meter();
  const make = (
    queueMax = 10,
    input: z.ZodType = z.object({}),
    standby: Pick<CommitterOptions, 'mayCommitUntilMs' | 'isHeld'> = {},
  ) =>
    new Committer({
      ...standby,
      db,
      ledger: new Ledger(db, 'test'),
      idempotencyKeys: new IdempotencyKeys(db, 1000),
      applyingMark: new ApplyingMark(join(temporaryFolder(t), 'applying'), pino({ level: 'silent' })),
      commands: new Map([
        ['test.count', countOf(input) as unknown as Command],
        ['test.observe', observing as unknown as Command],
      ]),
      config: CONFIG,
      queueMax,
      log: pino({ level: 'silent' }),
      observer: new Observer(meter, METRICS),
      refusal: () => refusal,
    });
  const send = (
    committer: Committer,
    seq: number,
    input: object = {},
    idempotency?: Idempotency,
    name = 'test.count',
    timeoutMs = 5000,
  ) =>
    new Promise<Outcome>((reply) => {
      committer.submit({
        ...{ client: 'one', seq, name, deadlineMonotonicMs: monotonicNowMs() + timeoutMs },
        ...{ input, blob: undefined, replicatedTimeoutMs: 0, idempotency, reply },
      });
    });
  const close = (reason: string) => {
    refusal = new Failure('storage_reserved', reason);
  };
  const counted = () => db.prepare('SELECT n FROM counted').pluck().get();
  return { make, send, close, counted, meter };
}

t.test('what an earlier writer had applied is not denied when there is no room any more', async (t) => {
  const { make, send, close } = makeCommitter(t);
  like(t, await send(make(), 1), { value: 1 });
  close('the disk is nearly full');
  const next = make();
  like(t, await send(next, 1), { value: 1 }, 'sent again, since its answer was lost');
  like(t, await send(next, 2), { code: 'storage_reserved' }, 'a new one is refused');
});

t.test('what waits is not denied when it is sent again to a full queue', async (t) => {
  const { make, send } = makeCommitter(t);
  const committer = make(1);
  const first = send(committer, 1);
  const again = send(committer, 1);
  like(t, await send(committer, 2), { code: 'writer_busy' }, 'a new one is refused');
  like(t, await Promise.all([first, again]), [{ value: 1 }, { value: 1 }], 'and it is applied once');
});

t.test(
  'what is meant for a writer of another release is applied by that one, under the same number',
  async (t) => {
    const { make, send } = makeCommitter(t);
    const idempotency = { owner: '', key: 'k', fingerprint: 'f' };
    const newer = z.object({ rank: z.int() });
    const refused = { code: 'writer_mismatch', options: { retryAfterSeconds: 1 } };
    const older = make();
    t.match(await send(older, 1, { rank: 1 }), refused);
    t.match(await send(older, 2, { rank: 1 }, idempotency), refused);
    const next = make(10, newer);
    t.strictSame(await send(next, 1, { rank: 1 }), { value: 1 });
    t.strictSame(await send(next, 2, { rank: 1 }, idempotency), { value: 2 });
    const back = make();
    t.strictSame(await send(back, 1, { rank: 1 }), { value: 1 }, 'and not denied by the older one then');
    t.strictSame(await send(back, 3, { rank: 1 }, idempotency), { value: 2, replayed: true });
  },
);

t.test(
  'past the time that it may commit until, nothing is written, and what was is not denied',
  async (t) => {
    const { make, send, counted } = makeCommitter(t);
    let untilMs = monotonicNowMs() + 60_000;
    const committer = make(10, z.object({}), { mayCommitUntilMs: () => untilMs });
    like(t, await send(committer, 1), { value: 1 });
    untilMs = monotonicNowMs();
    like(t, await send(committer, 2), { code: 'not_ready', options: { retryAfterSeconds: 1 } });
    like(t, await send(committer, 1), { value: 1 }, 'it was applied before');
    t.equal(counted(), 1);
    untilMs = monotonicNowMs() + 60_000;
    like(t, await send(committer, 2), { value: 2 }, 'it goes on when it may again');
  },
);

t.test('a commit whose time ends while it is prepared is undone', async (t) => {
  const { make, send, counted } = makeCommitter(t);
  const times = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const committer = make(10, z.object({}), {
    mayCommitUntilMs: () => times.shift() ?? Number.POSITIVE_INFINITY,
  });
  like(t, await send(committer, 1), { code: 'not_ready' });
  t.equal(counted(), 0);
  like(t, await send(committer, 1), { value: 1 }, 'its sender may send it again');
  t.equal(counted(), 1);
});

t.test('what is held is committed when it is let go, and is not late for that', async (t) => {
  const { make, send, counted } = makeCommitter(t);
  let isHeld = true;
  const committer = make(10, z.object({}), { isHeld: () => isHeld });
  const [short, long] = [150, 5000].map((timeoutMs, index) =>
    send(committer, index + 1, {}, undefined, 'test.count', timeoutMs),
  );
  await delay(300);
  t.equal(counted(), 0);
  isHeld = false;
  like(t, await Promise.all([short, long]), [{ value: 1 }, { value: 2 }]);
});

t.test('what an operation observes counts when it is committed, and never else', async (t) => {
  const { make, send, meter } = makeCommitter(t);
  const committer = make();
  const observe = (seq: number, fate: string) => send(committer, seq, { fate }, undefined, 'test.observe');
  const [kept, refused, unknown] = await Promise.all([
    observe(1, 'kept'),
    observe(2, 'refused'),
    observe(3, 'unknown'),
  ]);
  like(t, [kept, refused, unknown], [{ value: {} }, { code: 'not_found' }, { code: 'internal' }]);
  t.strictSame(meter.take(), [{ name: 'counts_total', labels: {}, add: 1 }], 'of one commit, what was kept');
  const [first, full] = await Promise.all([observe(4, 'kept'), observe(5, 'full')]);
  like(t, [first, full], [{ code: 'storage_full' }, { code: 'storage_full' }]);
  t.strictSame(meter.take(), [], 'the whole commit failed');
  like(t, await observe(6, 'kept'), { value: {} });
  like(t, await observe(6, 'kept'), { value: {} });
  t.strictSame(meter.take(), [{ name: 'counts_total', labels: {}, add: 1 }], 'applied once, counted once');
});
