import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { z } from 'zod';
import { loadConfig } from '../../src/config/config.ts';
import { type Command, defineCommand } from '../../src/contract/command.ts';
import { appConfigOf } from '../../src/features/app-settings.ts';
import { Meter } from '../../src/metrics/meter.ts';
import { Observer } from '../../src/metrics/observer.ts';
import { Failure } from '../../src/platform/errors.ts';
import { migrate } from '../../src/sqlite/migrations.ts';
import { type Database, openWriter } from '../../src/sqlite/open.ts';
import { ApplyingMark } from '../../src/writer/applying-mark.ts';
import { Committer } from '../../src/writer/committer.ts';
import { IdempotencyKeys } from '../../src/writer/idempotency.ts';
import { Ledger } from '../../src/writer/ledger.ts';
import { WriterServer } from '../../src/writer/server.ts';

/** A writer process for tests: the real parts, with commands that make double application visible. */
const [folder = '', json = '{}'] = process.argv.slice(2);
const {
  queueMax = 10_000,
  blockMs = 0,
  retentionMs = 60_000,
} = JSON.parse(json) as { queueMax?: number; blockMs?: number; retentionMs?: number };
const db = openWriter(join(folder, 'count.db'));
db.exec('CREATE TABLE IF NOT EXISTS counts (id TEXT PRIMARY KEY, times INTEGER NOT NULL)');
migrate(db, [{ name: 'writer', migrations: new URL('../../src/sqlite/migrations/', import.meta.url) }]);

let commits = 0;
const input = z.object({ id: z.string() });
const adder = (db: Database) => {
  const add = db.prepare(
    'INSERT INTO counts (id, times) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET times = times + 1',
  );
  return ({ id }: { id: string }) => {
    add.run(id);
    return { commit: commits };
  };
};

const commands: Record<string, unknown> = {
  'count.add': defineCommand({ input, prepare: adder }),
  'count.addThenThrow': defineCommand({
    input,
    prepare: (db) => {
      const add = adder(db);
      return (row) => {
        add(row);
        throw new TypeError('a bug');
      };
    },
  }),
  'count.addThenRefuse': defineCommand({
    input,
    prepare: (db) => {
      const add = adder(db);
      return (row) => {
        add(row);
        throw new Failure('not_found', 'refused by its command');
      };
    },
  }),
  'count.refuseForNow': defineCommand({
    input,
    prepare: () => () => {
      throw new Failure('not_found', 'not yet', { retryAfterSeconds: 1 });
    },
  }),
  'count.exit': defineCommand({
    input,
    prepare: (db) => {
      const add = adder(db);
      return (row) => {
        add(row);
        process.exit(0);
      };
    },
  }),
  'count.measure': defineCommand({
    input: z.object({}),
    prepare:
      () =>
      (_input, { blob }) => ({
        sizeBytes: blob?.length ?? 0,
        tail: blob?.subarray(-3).toString(),
      }),
  }),
  'count.block': defineCommand({
    input: z.object({}),
    prepare: () => () => {
      writeSync(1, 'blocking');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
      return {};
    },
  }),
};

const committer = new Committer({
  db,
  ledger: new Ledger(db, randomUUID()),
  idempotencyKeys: new IdempotencyKeys(db, retentionMs),
  applyingMark: new ApplyingMark(join(folder, 'applying'), pino({ level: 'silent' })),
  commands: new Map(Object.entries(commands) as [string, Command][]),
  config: await appConfigOf(loadConfig({}, folder).config),
  queueMax,
  log: pino({ level: 'silent' }),
  observer: new Observer(new Meter(), {}),
  onCommit: () => {
    commits += 1;
  },
});
const server = new WriterServer(
  new Map(Object.keys(commands).map((name) => [name, committer])),
  pino({ level: 'silent' }),
);
await server.listen(join(folder, 'w.sock'));
console.log('ready');
