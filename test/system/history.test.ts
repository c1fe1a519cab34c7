import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readHistory } from '../../src/replication/history/history.ts';
import { readMark } from '../../src/replication/history/mark.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { told } from '../support/told.ts';
import { alertsIn, degraded, placeOf, refused, session, write } from './history-fixture.ts';

t.test(
  'after a stop the mark names the last commit of each database, and what the replica has',
  async (t) => {
    const place = placeOf(t);
    await session(t, place, 'a');
    await session(t, place, 'b', 'c');
    const { databases, isFinal, notices } = readMark(place.dataDir)!;
    t.equal(isFinal, true);
    t.strictSame(notices, [], 'two starts in a row find nothing');
    for (const name of ['main', 'media']) {
      const { sessions, last } = readHistory(join(place.dataDir, `${name}.db`));
      const mark = databases[name]!;
      const { atMs: _, ...local } = mark.local!;
      t.strictSame(local, last, name);
      t.equal(sessions.length, name === 'main' ? 2 : 1, 'a session that commits nothing is none');
      t.equal(mark.generations.length, 1);
      t.equal(mark.segment!.generation, mark.generations[0]);
    }
  },
);

t.test('a folder of earlier that is put back gets what the replica has beyond it', async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a');
  const earlier = join(place.folder, 'earlier');
  cpSync(place.dataDir, earlier, { recursive: true });
  await session(t, place, 'b');
  await session(t, place, 'c');
  rmSync(place.dataDir, { recursive: true });
  renameSync(earlier, place.dataDir);
  const system = await start(t, place.env, place.dataDir);
  t.strictSame(alertsIn(join(place.dataDir, 'main.db')), ['a', 'b', 'c']);
  t.equal(told(place.dataDir).length, 1);
  await write(system, 'd');
  await system.stop();
  const next = await start(t, place.env, place.dataDir);
  t.equal(told(place.dataDir).length, 1, 'the next start finds nothing more');
  t.ok('history' in (await degraded(next)), 'and nothing has proven it yet');
});

t.test('after a kill it goes on at once, and nothing is told', async (t) => {
  const place = placeOf(t);
  const first = await start(t, place.env, place.dataDir);
  await write(first, 'a', 'b');
  first.kill('SIGKILL');
  await first.ended();
  const next = await start(t, place.env, place.dataDir);
  t.notOk('history' in (await degraded(next)));
  await write(next, 'c');
  await next.stop();
  t.strictSame(told(place.dataDir), []);
  t.equal(readdirSync(join(place.folder, 'replica', 'main', 'generations')).length, 1, 'one generation');
});

t.test('with the store away a database of which nothing is known does not serve', async (t) => {
  const folder = temporaryFolder(t);
  const mount = join(folder, 'mount');
  mkdirSync(mount);
  const place = { ...placeOf(t), env: { REPLICA_URL: `file:${join(mount, 'replica')}` } };
  await session(t, place, 'a');
  renameSync(mount, join(folder, 'away'));
  rmSync(join(place.dataDir, 'run', 'history.json'));
  t.match(await refused(t, place, 75), /nothing is remembered of it.*cannot be compared/);
  renameSync(join(folder, 'away'), mount);
  await session(t, place, 'b');
  t.strictSame(told(place.dataDir), [], 'and with it there all is plain');
});
