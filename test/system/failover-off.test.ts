import t from 'tap';
import { launch } from '../support/system.ts';
import { bothOf, pair, written } from './failover-fixture.ts';

t.test('the one of two that led last goes on alone in its folder, the other one does not', async (t) => {
  const { env, member, record } = await pair(t);
  const { leader, standby } = await bothOf({ member });
  await written(leader, 'one');
  t.equal((await standby.stop()).code, 0);
  t.equal((await leader.stop()).code, 0);
  const alone = (dataDir: string) => launch(t, { ...env, FAILOVER: 'off' }, dataDir);
  t.equal((await alone(standby.dataDir).ended()).code, 73);
  const single = alone(leader.dataDir);
  await single.ready();
  await written(single, 'two');
  t.strictSame(
    [record().epoch, record().data, record().state, record().isAlone],
    [1, 'e000001', 'held', true],
  );
});
