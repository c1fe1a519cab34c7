import t from 'tap';
import { launch } from '../support/system.ts';
import { KINDS, post } from './lease-fixture.ts';

t.test('of two that start at once one is refused', async (t) => {
  const { env, record } = await KINDS['s3:']!(t);
  const systems = [launch(t, env), launch(t, env)];
  const ended = await Promise.race(
    systems.map(async (system, index) => ({ ...(await system.ended()), winner: systems[1 - index]! })),
  );
  t.equal(ended.code, 73);
  const { winner } = ended;
  await winner.ready();
  t.equal(record().pid, winner.pid);
  t.equal((await post(winner, 'a')).status, 201);
});
