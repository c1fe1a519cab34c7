import { join } from 'node:path';
import t from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { alertOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { restoreByHand } from '../support/restore.ts';
import { startS3 } from '../support/s3.ts';
import { start, temporaryFolder, until } from '../support/system.ts';

const REPLICATED = { Durability: 'replicated' };
/** On a machine that does other things too, nothing shall be refused for that. */
const PATIENT = { OVERLOAD_LAG_MS: '0', REPLICATED_TIMEOUT_MS: '60000' };

/** Writes in several rounds of ten at once, each acknowledged as replicated. @returns the ids and latencies */
async function writeReplicated(url: string, rounds: number) {
  const ids: string[] = [];
  const latenciesMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const writes = Array.from({ length: 10 }, async (_, index) => {
      const id = `replicated-${round}-${index}`;
      const startMs = performance.now();
      const answer = await request(`${url}/alert`, {
        method: 'POST',
        body: alertOf(id),
        headers: REPLICATED,
      });
      if (answer.status !== 201 || answer.headers.durability !== 'replicated') throw new Error(answer.text);
      ids.push(id);
      latenciesMs.push(performance.now() - startMs);
    });
    await Promise.all(writes);
  }
  return { ids, latenciesMs };
}

t.test(
  'what was acknowledged as replicated is in the folder when everything else dies at once',
  async (t) => {
    const system = await start(t, PATIENT);
    const { ids } = await writeReplicated(system.url, 3);
    await system.destroy();
    const db = openReader(join(restoreByHand(t, system.dataDir), 'main.db'));
    const restored = db.prepare('SELECT movie_id FROM alerts').pluck().all();
    db.close();
    t.same(restored.sort(), ids.sort());
  },
);

t.test(
  'what was acknowledged as replicated is in S3 when the data folder dies with everything',
  async (t) => {
    const s3 = await startS3(t);
    const env = { ...PATIENT, ...s3Environment(s3, 'p') };
    const system = await start(t, env);
    const { ids } = await writeReplicated(system.url, 3);
    await system.destroy();
    const next = await start(t, env, temporaryFolder(t));
    for (const id of ids) t.equal((await request(`${next.url}/alert/movie/${id}`)).status, 200, id);
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
    request(`${system.url}/alert`, { method: 'POST', body: alertOf('waiting'), headers: REPLICATED });
  const keyed = () =>
    request(`${system.url}/alert`, {
      method: 'POST',
      body: alertOf('keyed'),
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
  t.equal((await request(`${system.url}/alert/movie/waiting`)).status, 200, 'it is applied');
  t.equal((await request(`${system.url}/alert`, { method: 'POST', body: alertOf('local') })).status, 201);
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

t.test('DURABILITY=replicated is for all, and a request cannot ask for less', async (t) => {
  const system = await start(t, { ...PATIENT, DURABILITY: 'replicated' });
  const answer = await request(`${system.url}/alert`, {
    method: 'POST',
    body: alertOf('a'),
    headers: { Durability: 'local' },
  });
  like(t, answer, { status: 201, headers: { durability: 'replicated' } });
  const wrong = await request(`${system.url}/alert`, {
    method: 'POST',
    body: alertOf('b'),
    headers: { Durability: 'eternal' },
  });
  like(t, wrong.json, { status: 422, errors: [{ field: 'Durability' }] });
});

t.test('a write that waits for its replication survives the writer', async (t) => {
  const system = await start(t, { ...PATIENT, REPLICA_STALL_TIMEOUT_MS: '60000' });
  const litestream = system.pidOf('litestream');
  process.kill(litestream, 'SIGSTOP');
  const waiting = request(`${system.url}/alert`, { method: 'POST', body: alertOf('w'), headers: REPLICATED });
  await system.killChild('writer');
  process.kill(litestream, 'SIGCONT');
  like(t, await waiting, { status: 201, headers: { durability: 'replicated' } });
});
