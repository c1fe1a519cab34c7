import t from 'tap';
import { command } from '../commands/command.ts';
import { findings } from '../commands/doctor-fixture.ts';
import { request } from '../support/http.ts';
import { temporaryFolder, until } from '../support/system.ts';
import { LONG, pair, peers, standsBy, written } from './failover-fixture.ts';
import { beginNote, handOver } from './handover-fixture.ts';
import { post } from './lease-fixture.ts';

t.test('the other one leads, and has all; a request that came meanwhile is closed unanswered', async (t) => {
  const { env, member, record } = await pair(t);
  const [ofA, ofB] = await peers();
  const leader = member('a', undefined, { ...ofA, ...LONG });
  await leader.ready();
  const standby = member('b', undefined, { ...ofB, ...LONG });
  const standbyUrl = await standsBy(standby);
  await written(leader, 'one', 'local');

  await t.test('doctor asks the other system, and names a wrong secret', async (t) => {
    const doctor = (more: NodeJS.ProcessEnv) =>
      findings({ ...env, ...ofB, DATA_DIR: temporaryFolder(t), PORT: '0', ...more });
    const { by } = await doctor({});
    t.match(by.get('owner')?.detail, /^a \(process \d+\) leads, epoch 1; of two writes at once/);
    t.equal(by.get('peer')?.detail, `${ofB.PEER_URL}: a answers, and accepts the signature: leader`);
    t.equal(by.get('peer clock')?.detail, 'within 1 s of this one; it is never used');
    const wrong = await doctor({ PEER_SECRET: `another ${ofB.PEER_SECRET}` });
    t.equal(wrong.by.get('peer')?.result, 'problem');
    t.equal(wrong.by.get('peer')?.detail, `${ofB.PEER_URL}: PEER_SECRET is not the same on both`);
  });

  await t.test('it is refused where there is nothing to hand over', async (t) => {
    const { code, stderr } = await handOver(standby.dataDir, env);
    t.equal(code, 75);
    t.match(stderr, /This system stands by/);
  });

  await t.test('it is refused while something is exchanged', async (t) => {
    const last = await beginNote(leader.url, 'last');
    const before = leader.pidOf('worker-1');
    const restart = command(['restart', 'worker'], { DATA_DIR: leader.dataDir });
    await until(() => leader.pidOf('worker-1') !== before, 'another worker is there');
    const { code, stderr } = await handOver(leader.dataDir, { ...env, ...ofA });
    t.equal(code, 75);
    t.match(stderr, /A reload or a restart is under way: hand over when it is done/);
    t.equal(await last.end(), 201);
    t.equal((await restart).code, 0);
  });
  const begun = await beginNote(leader.url, 'begun');
  const handed = handOver(leader.dataDir, { ...env, ...ofA });
  await until(() => record().state === 'released' || record().epoch === 2, 'the record is offered');
  const late = post(leader, 'late').then(
    ({ status }) => status,
    () => 'no answer',
  );
  const ended = begun.end();
  t.equal((await request(`${leader.url}/ready`)).status, 200, 'a proxy goes on until it knows the other one');
  await until(async () => (await request(`${standbyUrl}/ready`)).status === 200, 'the other one serves');
  t.equal(await late, 'no answer');
  t.equal(await ended, 'no answer', 'what was under way waits, too');
  await until(async () => (await request(`${leader.url}/ready`)).status === 404, 'a proxy learns of it');
  const { code, stdout, stderr } = await handed;
  t.equal(code, 0, stderr);
  t.match(stdout, /^b leads; requests waited for \d+\.\d s$/m);
  t.equal((await leader.ended()).code, 85);
  t.strictSame([record().epoch, record().data], [2, 'e000002']);
  t.equal((await request(`${standbyUrl}/note/one`)).status, 200);
  for (const id of ['late', 'begun']) t.equal((await request(`${standbyUrl}/note/${id}`)).status, 404, id);
});
