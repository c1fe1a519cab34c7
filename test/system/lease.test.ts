import t from 'tap';
import { launch, start } from '../support/system.ts';
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

for (const [kind, placeOf] of Object.entries(KINDS)) {
  t.test(`${kind} nothing is told as replicated once another system has the replica`, async (t) => {
    const { env, record, write } = await placeOf(t);
    const system = await start(t, env);
    t.equal((await post(system, 'a')).status, 201);
    write({ ...record(), session: 'other', name: 'elsewhere', pid: 7, bootId: 'other' });
    const answer = await post(system, 'b');
    t.not(answer.status, 201, 'also before the record is to be renewed');
    await system.waitFor((line) => line.code === 'replica_in_use');
  });
}
