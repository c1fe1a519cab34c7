import t from 'tap';
import { readMark } from '../../../src/replication/history/mark.ts';
import { command } from '../../commands/command.ts';
import { request } from '../../support/http.ts';
import { like } from '../../support/like.ts';
import { type RunningSystem, start, until } from '../../support/system.ts';
import { told } from '../../support/told.ts';
import { DUE, goBack, IDS, makeSent, put, statusesOf } from './rewind-fixture.ts';

/** Gives the mailer the time in which it would have sent another that is due. */
async function othersAreSent(system: RunningSystem): Promise<void> {
  await put(system, 'last');
  await until(async () => (await statusesOf(system, ['last']))[0] === 'sent', 'another is sent');
}

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
