import t from 'tap';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { startS3 } from '../support/s3.ts';
import { start, temporaryFolder } from '../support/system.ts';
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
