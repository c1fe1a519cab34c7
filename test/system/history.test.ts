import { spawnSync } from 'node:child_process';
import { renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { shadowsOf } from '../../src/replication/history/sidecar.ts';
import { noteOf, request } from '../support/http.ts';
import { notesIn } from '../support/notes.ts';
import { startS3, startStoreProxy } from '../support/s3.ts';
import { start, until } from '../support/system.ts';
import { placeOf, write } from './history-fixture.ts';

t.test('a snapshot of a moment at which an upload was due gets what that upload had beyond it', async (t) => {
  const s3 = await startS3(t);
  const proxy = await startStoreProxy(t, s3);
  const { folder, dataDir, env } = placeOf(t, {
    REPLICA_URL: `s3://${s3.bucket}/p`,
    S3_ENDPOINT: proxy.endpoint,
    ...s3.credentials,
  });
  const first = await start(t, env, dataDir);
  await write(first, 'a');
  const copiedBytes = () => statSync(shadowsOf(join(dataDir, 'main.db')).at(-1)?.path ?? '').size;
  const writeCopied = async (id: string) => {
    const beforeBytes = copiedBytes();
    await request(`${first.url}/note`, { method: 'POST', body: noteOf(id) });
    await until(() => copiedBytes() > beforeBytes, 'Litestream has copied it');
  };
  await proxy.become('read-only');
  await writeCopied('b');
  spawnSync('cp', ['-a', dataDir, join(folder, 'earlier')]);
  await writeCopied('c');
  await proxy.become('open');
  const again = { method: 'POST', body: noteOf('c'), headers: { Durability: 'replicated' } };
  t.equal((await request(`${first.url}/note`, again)).status, 200);
  first.kill('SIGKILL');
  await first.ended();
  rmSync(dataDir, { recursive: true });
  renameSync(join(folder, 'earlier'), dataDir);
  await start(t, env, dataDir);
  t.strictSame(notesIn(join(dataDir, 'main.db')), ['a', 'b', 'c']);
});
