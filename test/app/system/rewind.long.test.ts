import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readHistory } from '../../../src/replication/history/history.ts';
import { readMark, writeMark } from '../../../src/replication/history/mark.ts';
import { openReader } from '../../../src/sqlite/open.ts';
import { launch, start } from '../../support/system.ts';
import { told } from '../../support/told.ts';
import { allAre, DUE, goBack, IDS, makeSent, statusesOf } from './rewind-fixture.ts';

t.test('it is done once, whatever is killed meanwhile', async (t) => {
  const sent = await makeSent(t);
  const { dataDir } = sent;
  await goBack(t, sent);
  const mark = readMark(dataDir)!;
  t.equal(mark.rewinds?.length, 1);
  const killed = launch(t, DUE, dataDir);
  await killed.waitFor(({ msg }) => msg === 'litestream ready');
  killed.kill('SIGKILL');
  await killed.ended();
  const system = await start(t, DUE, dataDir);
  t.strictSame(
    await statusesOf(system, IDS),
    IDS.map(() => 'sent'),
  );
  await system.stop();
  const { last } = readHistory(join(dataDir, 'main.db'));
  // As after a kill between the commit and the mark.
  writeMark(dataDir, { ...readMark(dataDir)!, rewinds: mark.rewinds }, false);
  const next = await start(t, DUE, dataDir);
  await next.stop();
  t.strictSame(readHistory(join(dataDir, 'main.db')).last, last, 'nothing more was committed');
  const rewinds = told(dataDir, 'rewind');
  t.ok(rewinds.length >= 2, 'but told again, since nobody knows whether it was');
  t.equal(new Set(rewinds).size, 1);
  const db = openReader(join(dataDir, 'main.db'));
  t.equal(db.prepare('SELECT count(*) FROM writer_rewind').pluck().get(), 1);
  db.close();
});

t.test('where what was replaced cannot be read, it says what may happen', async (t) => {
  const sent = await makeSent(t);
  const { dataDir } = sent;
  await goBack(t, sent);
  const [folder = ''] = readdirSync(join(dataDir, 'replaced'));
  writeFileSync(join(dataDir, 'replaced', folder, 'main.db'), Buffer.alloc(100_000, 0xa5));
  rmSync(join(dataDir, 'replaced', folder, 'main.db-wal'));
  const system = await start(t, DUE, dataDir);
  await allAre(system, 'sent');
  t.equal(sent.mails(), IDS.length, 'they come twice');
  const [rewind = '', ...more] = told(dataDir, 'rewind');
  t.strictSame(more, []);
  t.match(
    rewind,
    /What was replaced, \S+main\.db, cannot be read\. keys: keys revoked .*alerts: mails sent since \S+Z may be sent again/,
  );
});
