import t from 'tap';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { start, temporaryFolder, until } from '../support/system.ts';
import { PATIENT, REPLICATED, writeReplicated } from './durability-fixture.ts';

t.test(
  'what was acknowledged as replicated is in S3 when the data folder dies with everything',
  async (t) => {
    const s3 = await startS3(t);
    const env = { ...PATIENT, ...s3Environment(s3, 'p') };
    const system = await start(t, env);
    const { ids } = await writeReplicated(system.url, 3);
    await system.destroy();
    const next = await start(t, env, temporaryFolder(t));
    for (const id of ids) t.equal((await request(`${next.url}/note/${id}`)).status, 200, id);
  },
);

t.test('DURABILITY=replicated is for all, and a request cannot ask for less', async (t) => {
  const system = await start(t, { ...PATIENT, DURABILITY: 'replicated' });
  const answer = await request(`${system.url}/note`, {
    method: 'POST',
    body: noteOf('a'),
    headers: { Durability: 'local' },
  });
  like(t, answer, { status: 201, headers: { durability: 'replicated' } });
  const wrong = await request(`${system.url}/note`, {
    method: 'POST',
    body: noteOf('b'),
    headers: { Durability: 'eternal' },
  });
  like(t, wrong.json, { status: 422, errors: [{ field: 'Durability' }] });
});

t.test('a write that waits for its replication survives the writer', async (t) => {
  const system = await start(t, { ...PATIENT, REPLICA_STALL_TIMEOUT_MS: '60000' });
  const litestream = system.pidOf('litestream');
  process.kill(litestream, 'SIGSTOP');
  const waiting = request(`${system.url}/note`, { method: 'POST', body: noteOf('w'), headers: REPLICATED });
  await system.killChild('writer');
  process.kill(litestream, 'SIGCONT');
  like(t, await waiting, { status: 201, headers: { durability: 'replicated' } });
});

t.test('when the replica does not confirm in time, the answer says plainly what holds', async (t) => {
  const system = await start(t, {
    ...PATIENT,
    REPLICATED_TIMEOUT_MS: '400',
    REPLICA_STALL_TIMEOUT_MS: '60000',
  });
  const litestream = system.pidOf('litestream');
  process.kill(litestream, 'SIGSTOP');
  const write = () =>
    request(`${system.url}/note`, { method: 'POST', body: noteOf('waiting'), headers: REPLICATED });
  const keyed = () =>
    request(`${system.url}/note`, {
      method: 'POST',
      body: noteOf('keyed'),
      headers: { ...REPLICATED, 'Idempotency-Key': 'one-and-the-same' },
    });
  const late = await write();
  t.equal(late.status, 504);
  like(t, late.json, {
    code: 'replication_timeout',
    detail: /durable on this machine.*not confirmed it in time/,
  });
  t.equal(late.headers.durability, undefined);
  t.equal((await keyed()).status, 504);
  t.equal((await keyed()).status, 504, 'sent again under its key it is not confirmed either');
  t.equal((await request(`${system.url}/note/waiting`)).status, 200, 'it is applied');
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('local') })).status, 201);
  const shown = async () => (await request(`${system.url}/ready?verbose`)).json.replication;
  await until(async () => (await shown()).lagMs > 400, 'the lag shows');
  const { databases, unconfirmedBytes } = await shown();
  t.ok(unconfirmedBytes > 0);
  const { confirmed, lastCommit } = databases.main;
  t.ok((confirmed?.ordinal ?? -1) < lastCommit.ordinal, 'and what is not confirmed');
  process.kill(litestream, 'SIGCONT');
  const until504Ends = async (send: typeof write) => {
    let answer = await send();
    while (answer.status === 504) answer = await send();
    return answer;
  };
  like(
    t,
    await until504Ends(write),
    { status: 200, headers: { durability: 'replicated' } },
    'sent again, it tells when it holds',
  );
  like(
    t,
    await until504Ends(keyed),
    { status: 201, headers: { durability: 'replicated' } },
    'under its key it tells the outcome of the first time, and that it holds',
  );
  await until(async () => (await shown()).lagMs === 0, 'the lag goes');
  const { main } = (await shown()).databases;
  like(t, main.confirmed, { ordinal: main.lastCommit.ordinal, generation: /^[0-9a-f]{16}$/, salt: String });
});
