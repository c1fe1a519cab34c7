import { cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { command } from '../cli/command.ts';
import { findings } from '../cli/doctor-fixture.ts';
import { startHaproxy, twoServers } from '../support/haproxy.ts';
import { noteOf, request } from '../support/http.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import { temporaryFolder, until } from '../support/system.ts';
import { missing } from '../support/tools.ts';
import { LONG, pair, peers, standsBy, written } from './failover-fixture.ts';
import { beginNote, handOver } from './handover-fixture.ts';
import { post } from './lease-fixture.ts';

const CLIENTS = 16;

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
  const begun = await beginNote(leader.url, 'begun');
  const handed = handOver(leader.dataDir, { ...env, ...ofA });
  let isOver = false;
  void handed.then(() => {
    isOver = true;
  });
  await until(() => isOver || record().state === 'released', 'the record is offered');
  const late = post(leader, 'late');
  const ended = begun.end();
  const { code, stderr } = await handed;
  t.equal(code, 75);
  t.match(stderr, /b did not take the lead in time. This system leads on/);
  t.equal((await late).status, 201);
  t.equal(await ended, 201, 'and what was under way');
  t.strictSame([record().epoch, record().state], [1, 'held']);
  t.equal((await request(`${leader.url}/ready`)).status, 200);
  await until(async () => {
    const { stdout } = await command(['status'], { DATA_DIR: leader.dataDir });
    return /^tally +ready /m.test(stdout);
  }, 'what works in the background goes on');
});

t.test('where the store goes away meanwhile, the handover ends, and requests wait no longer', async (t) => {
  const { env, store, member, record } = await pair(t);
  const [ofA, ofB] = await peers();
  const [wayOfA, wayOfB] = [await startStoreProxy(t, store), await startStoreProxy(t, store)];
  const leader = member('a', undefined, { ...ofA, ...LONG, S3_ENDPOINT: wayOfA.endpoint });
  await leader.ready();
  const standby = member('b', undefined, { ...ofB, ...LONG, S3_ENDPOINT: wayOfB.endpoint });
  await standsBy(standby);
  await wayOfB.become('read-only');
  const handed = handOver(leader.dataDir, { ...env, ...ofA });
  await until(() => record().state === 'released', 'the record is offered');
  await wayOfA.become('hang');
  const { code, stderr } = await handed;
  t.equal(code, 75);
  t.match(
    stderr,
    /Not handed over: b did not take the lead in time\. it is not known whether this system still leads, and nothing is committed: /,
  );
  t.equal((await request(`${leader.url}/ready`)).status, 503);
  t.equal((await post(leader, 'late')).status, 503);

  await t.test('it is not begun before the store is back', async (t) => {
    const { code, stderr } = await handOver(leader.dataDir, { ...env, ...ofA });
    t.equal(code, 75);
    t.match(stderr, /This system cannot hand over now: .*Nothing was changed\./);
  });
  await wayOfA.become('open');
  await until(async () => (await request(`${leader.url}/ready`)).status === 200, 'it leads on');
  t.equal((await post(leader, 'late')).status, 201);
  t.equal(record().epoch, 1);
});

t.test(
  'where the other one dies as it takes over, this one waits no longer than it would for it',
  async (t) => {
    const { env, member, record } = await pair(t);
    const [ofA, ofB] = await peers();
    const leader = member('a', undefined, ofA);
    await leader.ready();
    const standby = member('b', undefined, ofB);
    await standsBy(standby);
    t.equal((await post(leader, 'one', 'replicated')).status, 201);
    const handed = handOver(leader.dataDir, { ...env, ...ofA });
    await until(() => record().epoch === 2, 'the other one has taken it');
    standby.kill('SIGKILL');
    const { code, stderr } = await handed;
    t.equal(code, 75);
    t.match(
      stderr,
      /b has taken the lead, and does not serve\. The other system: it cannot be reached: ECONNREFUSED\. See there\. This system stands by /,
    );
    t.equal((await leader.ended()).code, 85);
    const again = member('a', leader.dataDir, ofA);
    await again.ready();
    t.equal((await request(`${again.url}/note/one`)).status, 200);
  },
);

t.test(
  'behind HAProxy no keyed write fails, and none is ended on its way',
  { skip: missing('haproxy') },
  async (t) => {
    const { env, member } = await pair(t);
    const [ofA, ofB] = await peers();
    const more = { ...LONG, RATE_LIMIT_KEY_PER_MINUTE: '1000000' };
    const leader = member('a', undefined, { ...ofA, ...more });
    await leader.ready();
    const standby = member('b', undefined, { ...ofB, ...more });
    const ports = [leader.url, await standsBy(standby)].map((url) => new URL(url).port) as [string, string];
    const log: string[] = [];
    const url = `http://127.0.0.1:${await startHaproxy(t, temporaryFolder(t), twoServers(ports), log)}`;
    const made = await command(['keys', 'create', '--name', 'proxy', '--scope', 'write'], {
      DATA_DIR: leader.dataDir,
    });
    const headers = {
      Authorization: `Bearer ${/nl_\S+/.exec(made.stdout)?.[0]}`,
      'Content-Type': 'application/json',
    };
    let isOver = false;
    t.teardown(() => {
      isOver = true;
    });
    let writes = 0;
    const failures: string[] = [];
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let number = 0; !isOver; number += 1) {
        const id = `c${client}-${number}`;
        const body = JSON.stringify(noteOf(id));
        const sent = fetch(`${url}/note`, {
          method: 'POST',
          body,
          headers: { ...headers, 'Idempotency-Key': `"${id}"` },
        });
        const answer = await sent.then(
          async (response) => [response.status, await response.text()] as const,
          (error: Error) => [String(error.cause ?? error)] as const,
        );
        writes += 1;
        if (answer[0] !== 201) failures.push(`${id}: ${answer.join(' ')}`);
      }
    });
    await until(() => writes > CLIENTS, 'writes are answered');
    const { code, stderr } = await handOver(leader.dataDir, { ...env, ...ofA });
    t.equal(code, 0, stderr);
    await leader.ended();
    const ofLeader = () => log.filter((line) => line.startsWith('Server ninelives/vm1 '));
    await until(() => ofLeader().some((line) => / is DOWN/.test(line)), 'HAProxy sees that it is gone');
    isOver = true;
    await Promise.all(clients);
    t.strictSame(failures, []);
    t.match(
      ofLeader()[0],
      /^Server ninelives\/vm1 is stopping/,
      'nothing more is sent there before it is gone',
    );
    t.match(ofLeader()[1], /^Server ninelives\/vm1 is DOWN.* 0 sessions active/);
  },
);

t.test('the other one leads, and has all; a request that came meanwhile is closed unanswered', async (t) => {
  const { store, env, member, record } = await pair(t);
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
    t.equal(
      (await command(['doctor'], { ...env, ...ofB, DATA_DIR: temporaryFolder(t), PORT: '0' })).stderr,
      '',
    );

    const copy = join(store.directory, store.bucket, 'copy');
    cpSync(join(store.directory, store.bucket, 'app'), copy, {
      recursive: true,
      filter: (path) => !path.includes('lease.json'),
    });
    const robbed = await doctor({ REPLICA_URL: `s3://${store.bucket}/copy` });
    t.equal(robbed.by.get('owner')?.detail, 'the record of the leader was removed; e000001 is there');
  });

  await t.test('one that leads in another store of the same name is told', async (t) => {
    const elsewhere = await startS3(t, store.bucket);
    const { by } = await findings({
      ...env,
      ...ofB,
      S3_ENDPOINT: elsewhere.endpoint,
      DATA_DIR: temporaryFolder(t),
      PORT: '0',
    });
    t.match(
      by.get('peer')?.detail,
      /: it leads, and in the store here nobody does, so that each of both leads: /,
    );
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
