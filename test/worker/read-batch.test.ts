import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { openReader, openWriter } from '../../src/sqlite/open.ts';
import { ReadBatch } from '../../src/worker/read-batch.ts';
import { temporaryFolder, until } from '../support/system.ts';

function open(t: Test) {
  const path = join(temporaryFolder(t), 'main.db');
  const writer = openWriter(path);
  writer.exec('CREATE TABLE kept (id INTEGER PRIMARY KEY) STRICT');
  const reader = openReader(path);
  t.teardown(() => {
    reader.close();
    writer.close();
  });
  const insert = writer.prepare('INSERT INTO kept DEFAULT VALUES');
  const count = reader.prepare<[], number>('SELECT count(*) FROM kept').pluck();
  return { reader, insert, count: () => count.get(), batch: new ReadBatch([reader]) };
}

t.test('those of one turn read in one transaction, which begins when all of them are there', async (t) => {
  const { reader, insert, count, batch } = open(t);
  const seen: (number | undefined)[] = [];
  const first = batch.join().then(() => {
    t.ok(reader.inTransaction);
    seen.push(count());
    insert.run();
  });
  // Committed before the second one comes.
  insert.run();
  const second = batch.join().then(() => seen.push(count()));
  t.notOk(reader.inTransaction, 'not before');
  await Promise.all([first, second]);
  t.same(seen, [1, 1], 'both what was there when they came, and not what came since');
  await turn();
  t.notOk(reader.inTransaction);
  t.equal(count(), 2);
});

t.test('the next turn has a transaction of its own, and what waits goes on outside of any', async (t) => {
  const { reader, insert, count, batch } = open(t);
  for (let round = 1; round <= 3; round += 1) {
    insert.run();
    await batch.join();
    t.equal(count(), round);
    // As an answer of the writer's does.
    await turn();
    t.notOk(reader.inTransaction);
    insert.run();
    t.equal(count(), round + 1, 'a request reads what it has written');
    reader.prepare('SELECT 1').get();
    insert.database.exec('DELETE FROM kept WHERE id = (SELECT max(id) FROM kept)');
  }
});

t.test('what one of them throws, or a transaction of its own, ends nothing for the others', async (t) => {
  const { reader, count, batch } = open(t);
  const failing = batch.join().then(() => {
    throw new Error('a handler that fails');
  });
  const own = batch.join().then(() => reader.transaction(() => count())());
  const ending = batch.join().then(() => reader.exec('ROLLBACK'));
  const last = batch.join().then(() => count());
  await t.rejects(failing, { message: 'a handler that fails' });
  t.same(await Promise.all([own, ending.then(() => 'ended'), last]), [0, 'ended', 0]);
  await batch.join();
  t.ok(reader.inTransaction);
  await turn();
  t.notOk(reader.inTransaction);
});

t.test('a handler may go through rows over several turns', async (t) => {
  const { reader, insert, batch } = open(t);
  for (let row = 0; row < 3; row += 1) insert.run();
  await batch.join();
  const ids: unknown[] = [];
  for (const id of reader.prepare('SELECT id FROM kept').pluck().iterate()) {
    ids.push(id);
    await turn();
    await batch.join();
  }
  t.same(ids, [1, 2, 3]);
  await until(() => !reader.inTransaction, 'the transaction ends when it can');
});
