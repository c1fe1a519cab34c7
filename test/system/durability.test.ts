import { join } from 'node:path';
import t from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { restoreByHand } from '../support/restore.ts';
import { start, until } from '../support/system.ts';
import { PATIENT, REPLICATED, writeReplicated } from './durability-fixture.ts';

t.test(
  'what was acknowledged as replicated is in the folder when everything else dies at once',
  async (t) => {
    const system = await start(t, PATIENT);
    const { ids } = await writeReplicated(system.url, 3);
    await system.destroy();
    const db = openReader(join(restoreByHand(t, system.dataDir), 'main.db'));
    const restored = db.prepare('SELECT id FROM notes').pluck().all();
    db.close();
    t.same(restored.sort(), ids.sort());
  },
);

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
