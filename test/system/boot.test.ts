import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { everyWriteIsThere } from '../support/history.ts';
import { request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { writeNotes } from '../support/note-clients.ts';
import { startS3 } from '../support/s3.ts';
import { launch, startPair, temporaryFolder, until } from '../support/system.ts';
import { upload } from './boot-fixture.ts';

t.test('one line says ready, with all that one needs to know and the warning about the disk', async (t) => {
  const system = await startPair(t);
  const line = await system.ready();
  like(t, line, {
    url: /^http:\/\/127\.0\.0\.1:\d+$/,
    pids: { primary: system.pid, litestream: Number, writer: Number, 'worker-1': Number, 'worker-2': Number },
    dataDir: system.dataDir,
    replica: `file:${system.dataDir}/replica`,
    warning: /same disk.*REPLICA_URL=s3:/,
  });
  for (const path of ['main.db', 'media.db', 'run/writer.sock', 'run/litestream.yml']) {
    t.equal(statSync(join(system.dataDir, path)).mode & 0o077, 0, `${path} is for its owner alone`);
  }
});

t.test('with the whole data folder deleted, a start brings back every note and file from S3', async (t) => {
  const s3 = await startS3(t);
  const env = {
    REPLICA_URL: `s3://${s3.bucket}/some/prefix`,
    S3_ENDPOINT: s3.endpoint,
    ...s3.credentials,
  };
  const system = await startPair(t, env);
  t.notMatch(String((await system.ready()).warning), /same disk/, 'the replica is elsewhere');
  const clients = writeNotes(t, { url: system.url, connections: 10, prefix: 's', hungAfterMs: 10_000 });
  await until(() => clients.acknowledged.length > 100, 'writes are answered');
  await clients.stop();
  const file = await upload(system);
  t.equal((await system.stop()).code, 0);
  const next = await startPair(t, env, temporaryFolder(t));
  everyWriteIsThere(t, next.dataDir, clients.acknowledged);
  t.equal((await request(next.url + file)).status, 200);
  t.match(
    next.lines.filter((line) => /restored/.test(line.msg)).length,
    2,
    'the log tells of both databases',
  );

  t.test('no secret is in a log, a file, an argument or a worker', async (t) => {
    t.notMatch(JSON.stringify(next.lines), s3.credentials.AWS_SECRET_ACCESS_KEY);
    t.notMatch(readFileSync(join(next.dataDir, 'run', 'litestream.yml'), 'utf8'), /secret|S3RVER/);
    for (const name of ['worker-1', 'writer']) {
      t.notMatch(readFileSync(`/proc/${next.pidOf(name)}/environ`, 'utf8'), /AWS_SECRET_ACCESS_KEY/);
    }
  });
});

t.test('a wrong configuration lists every mistake and exits 78', async (t) => {
  const system = launch(t, { PORT: 'http', WORKERS: '0' });
  t.equal((await system.ended()).code, 78);
  t.match(system.stderr, /PORT: expected/);
  t.match(system.stderr, /WORKERS: expected/);
});
