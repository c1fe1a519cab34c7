import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readHistory } from '../../../src/replication/history/history.ts';
import { readMark, writeMark } from '../../../src/replication/history/mark.ts';
import { openReader } from '../../../src/sqlite/open.ts';
import { command } from '../../cli/command.ts';
import { request } from '../../support/http.ts';
import { like } from '../../support/like.ts';
import { launch, type RunningSystem, start, until } from '../../support/system.ts';
import { told } from '../../support/told.ts';
import { allAre, DUE, goBack, IDS, makeSent, put, statusesOf } from './rewind-fixture.ts';

/** Gives the mailer the time in which it would have sent another that is due. */
async function othersAreSent(system: RunningSystem): Promise<void> {
  await put(system, 'last');
  await until(async () => (await statusesOf(system, ['last']))[0] === 'sent', 'another is sent');
}

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

t.test('what was sent stays sent when its database goes back: 5 of 5', async (t) => {
  const sent = await makeSent(t);
  const { dataDir } = sent;
  t.match(
    await goBack(t, sent),
    /alerts: what was sent since stays sent.*\n +images: as its database says then/,
  );
  const system = await start(t, DUE, dataDir);
  t.strictSame(
    await statusesOf(system, IDS),
    IDS.map(() => 'sent'),
  );
  await othersAreSent(system);
  t.equal(sent.mails(), 1, 'only the other one goes out');
  const [rewind = '', ...more] = told(dataDir, 'rewind');
  t.strictSame(more, []);
  t.match(
    rewind,
    /^The database main has gone back from commit \d+ of \S+ to commit \d+ of \S+\. keys: 0 revoked or rotated since stay so\. alerts: 5 sent since stay sent, 0 unsubscribed since stay so\.$/,
  );
  const { json } = await request(`${system.url}/ready?verbose`);
  t.equal(json.degraded.length, 1);
  like(
    t,
    json.degraded.map(({ name, reason }: Record<string, string>) => `${name}: ${reason}`),
    [
      /^history: .*replaced\/\S+ \(\d+\.\d MB\) keeps what there is of commits? .* of main, which the database goes on without\. Nothing removes it by itself\.$/,
    ],
  );
  like(t, await command(['verify'], { DATA_DIR: dataDir }), { code: 0 });
  const after = await request(`${system.url}/ready?verbose`);
  t.equal(after.json.degraded.length, 1, 'a drill does not make it known');
  like(t, await command(['acknowledge'], { DATA_DIR: dataDir }), { code: 0 });
  await until(
    async () => (await request(`${system.url}/ready?verbose`)).json.degraded.length === 0,
    'a person does',
  );
  await system.stop();
  t.strictSame(readMark(dataDir)?.rewinds, []);
});
