import t from 'tap';
import { command } from '../commands/command.ts';
import { request } from '../support/http.ts';
import { startStoreProxy } from '../support/s3.ts';
import { until } from '../support/system.ts';
import { LONG, pair, peers, standsBy } from './failover-fixture.ts';
import { handOver } from './handover-fixture.ts';
import { post } from './lease-fixture.ts';

t.test('where the other one does not take it, this one leads on, and answers what has waited', async (t) => {
  const { env, store, member, record } = await pair(t);
  const [ofA, ofB] = await peers();
  const leader = member('a', undefined, { ...ofA, ...LONG });
  await leader.ready();
  const refused = await handOver(leader.dataDir, { ...env, ...ofA });
  t.equal(refused.code, 75, 'nobody is there');
  t.match(refused.stderr, /The other system: it cannot be reached/);
  const way = await startStoreProxy(t, store);
  const standby = member('b', undefined, { ...ofB, ...LONG, S3_ENDPOINT: way.endpoint });
  await standsBy(standby);
  // It stands by, and could not take the record that it looks at.
  await way.become('read-only');
  const handed = handOver(leader.dataDir, { ...env, ...ofA });
  let isOver = false;
  void handed.then(() => {
    isOver = true;
  });
  await until(() => isOver || record().state === 'released', 'the record is offered');
  const late = post(leader, 'late');
  const { code, stderr } = await handed;
  t.equal(code, 75);
  t.match(stderr, /b did not take the lead in time. This system leads on/);
  t.equal((await late).status, 201);
  t.strictSame([record().epoch, record().state], [1, 'held']);
  t.equal((await request(`${leader.url}/ready`)).status, 200);
  await until(async () => {
    const { stdout } = await command(['status'], { DATA_DIR: leader.dataDir });
    return /^tally +ready /m.test(stdout);
  }, 'what works in the background goes on');
});
