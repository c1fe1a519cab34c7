import t from 'tap';
import { command } from '../commands/command.ts';
import { request } from '../support/http.ts';
import { nextSecond } from '../support/next-second.ts';
import { launch } from '../support/system.ts';
import { pair, standsBy } from './failover-fixture.ts';
import { post } from './lease-fixture.ts';

t.test('two systems go back in time by the one that goes on alone, and are two again', async (t) => {
  const { env, member, record } = await pair(t);
  const leader = member('a');
  await leader.ready();
  t.equal((await post(leader, 'one')).status, 201);
  await nextSecond();
  const at = new Date().toISOString();
  await nextSecond();
  t.equal((await post(leader, 'mistake')).status, 201);
  t.equal((await leader.stop()).code, 0);
  const { dataDir } = leader;
  const restore = () =>
    command(['restore', '--in-place', '--at', at, '--yes'], { ...env, FAILOVER: 'off', DATA_DIR: dataDir });
  t.equal((await restore()).code, 73, 'not as one of two');

  const alone = launch(t, { ...env, FAILOVER: 'off' }, dataDir);
  await alone.ready();
  t.equal((await alone.stop()).code, 0);
  const { code, stderr } = await restore();
  t.equal(code, 0, stderr);

  const again = member('a', dataDir);
  await again.ready();
  const standby = member('b');
  await standsBy(standby);
  t.equal((await request(`${again.url}/alert/movie/one`)).status, 200);
  t.equal((await request(`${again.url}/alert/movie/mistake`)).status, 404);
  t.equal((await post(again, 'two')).status, 201);
  t.equal(record().data, 'e000002');
  t.equal((await again.stop()).code, 0);
  await standby.ready();
  t.equal((await request(`${standby.url}/alert/movie/two`)).status, 200);
  t.equal((await request(`${standby.url}/alert/movie/mistake`)).status, 404);
});
