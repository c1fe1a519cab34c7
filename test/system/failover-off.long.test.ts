import t from 'tap';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { nextSecond } from '../support/next-second.ts';
import { launch, temporaryFolder, until } from '../support/system.ts';
import { bothOf, LONG, pair, standsBy, written } from './failover-fixture.ts';

t.test('two systems go back in time by the one that goes on alone, and are two again', async (t) => {
  const { env, member, record } = await pair(t);
  const leader = member('a');
  await leader.ready();
  await written(leader, 'one');
  await nextSecond();
  const at = new Date().toISOString();
  await nextSecond();
  await written(leader, 'mistake');
  t.equal((await leader.stop()).code, 0);
  const { dataDir } = leader;
  const restore = () =>
    command(['restore', '--in-place', '--at', at, '--yes'], { ...env, FAILOVER: 'off', DATA_DIR: dataDir });

  const alone = launch(t, { ...env, FAILOVER: 'off' }, dataDir);
  await alone.ready();
  t.equal((await alone.stop()).code, 0);
  const { code, stderr } = await restore();
  t.equal(code, 0, stderr);

  const again = member('a', dataDir);
  await again.ready();
  const standby = member('b');
  await standsBy(standby);
  t.equal((await request(`${again.url}/note/one`)).status, 200);
  t.equal((await request(`${again.url}/note/mistake`)).status, 404);
  await written(again, 'two');
  t.equal(record().data, 'e000002');
  t.equal((await again.stop()).code, 0);
  await standby.ready();
  t.equal((await request(`${standby.url}/note/two`)).status, 200);
  t.equal((await request(`${standby.url}/note/mistake`)).status, 404);
});

t.test(
  'restored in place at the leader, it leads another epoch with that, and nobody challenges meanwhile',
  async (t) => {
    const { env, member, record } = await pair(t);
    const { leader, standby } = await bothOf({ member }, LONG);
    await written(leader, 'one');
    await nextSecond();
    const at = new Date().toISOString();
    await nextSecond();
    await written(leader, 'mistake');
    const inPlace = (dataDir: string) =>
      command(['restore', '--in-place', '--at', at, '--yes'], { ...env, NODE_NAME: 'a', DATA_DIR: dataDir });
    const { dataDir } = leader;
    t.equal((await inPlace(dataDir)).code, 73, 'not while it runs');
    t.equal((await inPlace(temporaryFolder(t))).code, 73, 'not elsewhere');
    t.equal((await command(['stop', '--keep'], { ...env, DATA_DIR: dataDir })).code, 0);
    const { code, stderr } = await inPlace(dataDir);
    t.equal(code, 0, stderr);
    t.strictSame([record().epoch, record().state, record().isRestoring], [1, 'held', true]);
    await until(async () => {
      const { stdout } = await command(['status', '--json'], { ...env, DATA_DIR: standby.dataDir });
      return stdout.includes('would not take over: the databases of a are being replaced');
    }, 'the standby knows');
    t.equal(record().epoch, 1, 'nobody has challenged');

    const again = member('a', dataDir, LONG);
    await again.ready();
    t.equal((await request(`${again.url}/note/one`)).status, 200);
    t.equal((await request(`${again.url}/note/mistake`)).status, 404);
    await written(again, 'two');
    t.strictSame([record().epoch, record().data, record().isRestoring], [2, 'e000002', undefined]);
    t.equal((await again.stop()).code, 0);
    await standby.ready();
    t.equal((await request(`${standby.url}/note/two`)).status, 200);
    t.equal((await request(`${standby.url}/note/mistake`)).status, 404);
  },
);

t.test(
  'the one that led last goes on alone in its folder, and a new machine restores from there',
  async (t) => {
    const { env, member, record } = await pair(t);
    const alone = (dataDir?: string) => launch(t, { ...env, FAILOVER: 'off' }, dataDir);
    const { leader, standby } = await bothOf({ member });
    await written(leader, 'one');

    await t.test('not while both run, nor the one that has not led', async (t) => {
      const system = alone(temporaryFolder(t));
      t.equal((await system.ended()).code, 73);
      t.match(system.stderr, /Only the one that has led last can go on alone/);
    });

    t.equal((await standby.stop()).code, 0);
    t.equal((await leader.stop()).code, 0);
    const other = alone(standby.dataDir);
    t.equal((await other.ended()).code, 73);

    const single = alone(leader.dataDir);
    await single.ready();
    await written(single, 'two');
    t.strictSame(
      [record().epoch, record().data, record().state, record().isAlone],
      [1, 'e000001', 'held', true],
    );
    t.equal((await single.stop()).code, 0);

    const elsewhere = alone();
    await elsewhere.ready();
    for (const id of ['one', 'two']) t.equal((await request(`${elsewhere.url}/note/${id}`)).status, 200, id);
    await written(elsewhere, 'three');
    t.equal((await elsewhere.stop()).code, 0);

    await t.test('it can be one of two again, in another epoch', async (t) => {
      const again = member('a', elsewhere.dataDir);
      await again.ready();
      await written(again, 'four');
      t.equal((await request(`${again.url}/note/three`)).status, 200);
      t.strictSame([record().epoch, record().data, record().isAlone], [2, 'e000002', undefined]);
    });
  },
);

t.test('who has led and been replaced does not go on alone', async (t) => {
  const { env, member, record } = await pair(t);
  const { leader, standby } = await bothOf({ member });
  await written(leader, 'one');
  t.equal((await leader.stop()).code, 0);
  await standby.ready();
  const before = launch(t, { ...env, FAILOVER: 'off' }, leader.dataDir);
  t.equal((await before.ended()).code, 73);
  t.strictSame([record().epoch, record().isAlone], [2, undefined]);
});

t.test('a first key is made before either of two systems was started, and counts on both', async (t) => {
  const { env, member } = await pair(t);
  const dataDir = temporaryFolder(t);
  const keys = async (...args: string[]) => command(['keys', ...args], { ...env, DATA_DIR: dataDir });
  const { code, stdout, stderr } = await keys('create', '--name', 'admin', '--scope', 'admin');
  t.equal(code, 0, stderr);
  const leader = member('a', dataDir, LONG);
  await leader.ready();
  t.match((await keys('list')).stdout, /admin/);
  const standby = member('b', undefined, LONG);
  await standsBy(standby);
  t.equal((await leader.stop()).code, 0);
  await standby.ready();
  const Authorization = `Bearer ${stdout.trim().split(/\s+/).at(-1)}`;
  const status = async (headers: Record<string, string>) =>
    (await request(`${standby.url}/note/none`, { headers })).status;
  t.equal(await status({ Authorization }), 404);
  t.equal(await status({ Authorization: 'Bearer nlp_another' }), 401);
});
