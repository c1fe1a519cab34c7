import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import pino from 'pino';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { loadConfig } from '../../src/config/config.ts';
import { type Command, defineCommand } from '../../src/contract/command.ts';
import { appConfigOf } from '../../src/features/app-settings.ts';
import { Meter } from '../../src/metrics/meter.ts';
import { Observer } from '../../src/metrics/observer.ts';
import { migrate } from '../../src/sqlite/migrations.ts';
import { ApplyingMark } from '../../src/writer/applying-mark.ts';
import { Committer } from '../../src/writer/committer.ts';
import { IdempotencyKeys } from '../../src/writer/idempotency.ts';
import { Ledger } from '../../src/writer/ledger.ts';
import { monotonicNowMs, type Outcome } from '../../src/writer-client/protocol.ts';
import { temporaryFolder } from '../support/system.ts';

const CONFIG = await appConfigOf(loadConfig({}, '/tmp').config);
const MIGRATIONS = new URL('../../src/sqlite/migrations/', import.meta.url);
const CIRCULAR: Record<string, unknown> = {};
CIRCULAR.self = CIRCULAR;

/** What a command does when it has counted. */
const ENDS: Readonly<Record<string, (db: Sqlite.Database) => unknown>> = {
  bigint: () => 12n,
  circular: () => CIRCULAR,
  function: () => () => 1,
  promise: () => Promise.resolve(1),
  rejection: () => Promise.reject(new Error('late')),
  commit: (db) => db.exec('COMMIT'),
  behind: (db) => db.exec('/* its end */ COMMIT'),
  end: (db) => db.prepare('\n END').run(),
  rollback: (db) => db.exec('SELECT 1; rollback;'),
  transaction: (db) => db.transaction(() => 'inner')(),
  undo: (db) => db.exec('SAVEPOINT mine; ROLLBACK TO mine; RELEASE mine') && 'undone',
  nothing: () => undefined,
};

const odd = defineCommand({
  input: z.object({ end: z.string() }),
  prepare: (db) => {
    const add = db.prepare('UPDATE counted SET n = n + 1');
    return ({ end }) => {
      add.run();
      return ENDS[end]!(db);
    };
  },
});

function makeCommitter(t: Test, command: Command) {
  const db = new Sqlite(':memory:');
  t.teardown(() => db.close());
  migrate(db, [{ name: 'writer', migrations: MIGRATIONS }]);
  db.exec('CREATE TABLE counted (n INTEGER NOT NULL); INSERT INTO counted VALUES (0)');
  const committer = new Committer({
    db,
    ledger: new Ledger(db, 'test'),
    idempotencyKeys: new IdempotencyKeys(db, 1000),
    applyingMark: new ApplyingMark(join(temporaryFolder(t), 'applying'), pino({ level: 'silent' })),
    commands: new Map([['test.odd', command]]),
    config: CONFIG,
    queueMax: 100,
    log: pino({ level: 'silent' }),
    observer: new Observer(new Meter(), {}),
  });
  const send = (seq: number, end: string) =>
    new Promise<Outcome>((reply) =>
      committer.submit({
        ...{ client: 'one', seq, name: 'test.odd', deadlineMonotonicMs: monotonicNowMs() + 5000 },
        ...{ input: { end }, blob: undefined, replicatedTimeoutMs: 0, reply },
      }),
    );
  return { send, counted: () => db.prepare('SELECT n FROM counted').pluck().get() };
}

t.test('a command that no commit can bear fails alone, and those of the same commit are kept', async (t) => {
  const { send, counted } = makeCommitter(t, odd as Command);
  const failed = { code: 'internal', message: 'The operation failed', options: {} };
  const kept: Record<string, Outcome> = {
    transaction: { value: 'inner' },
    undo: { value: 'undone' },
    nothing: { value: null },
  };
  const ends = Object.keys(ENDS);
  const outcomes = await Promise.all(ends.map((end, index) => send(index + 1, end)));
  for (const [index, end] of ends.entries()) t.strictSame(outcomes[index], kept[end] ?? failed, end);
  t.equal(counted(), Object.keys(kept).length);
});

t.test('a command that cannot be applied in a transaction is refused before there is one', async (t) => {
  const prepares: Record<string, () => never> = {
    'prepares a promise': (async () => () => 1) as never,
    'prepares undefined': () => undefined as never,
    'is async': () => (async () => 1) as never,
  };
  for (const [said, prepare] of Object.entries(prepares)) {
    const command = { input: z.unknown(), prepare };
    t.throws(() => makeCommitter(t, command), {
      message: new RegExp(`^The command test.odd ${said}; expected `),
    });
  }
});
