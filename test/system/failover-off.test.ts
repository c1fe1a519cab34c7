import t from 'tap';
import { request } from '../support/http.ts';
import { launch, temporaryFolder } from '../support/system.ts';
import { pair, standsBy, written } from './failover-fixture.ts';

t.test(
  'the one that led last goes on alone in its folder, and a new machine restores from there',
  async (t) => {
    const { env, member, record } = await pair(t);
    const alone = (dataDir?: string) => launch(t, { ...env, FAILOVER: 'off' }, dataDir);
    const leader = member('a');
    await leader.ready();
    const standby = member('b');
    await standsBy(standby);
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
  const leader = member('a');
  await leader.ready();
  const standby = member('b');
  await standsBy(standby);
  await written(leader, 'one');
  t.equal((await leader.stop()).code, 0);
  await standby.ready();
  const before = launch(t, { ...env, FAILOVER: 'off' }, leader.dataDir);
  t.equal((await before.ended()).code, 73);
  t.strictSame([record().epoch, record().isAlone], [2, undefined]);
});
