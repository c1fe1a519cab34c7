import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { like } from '../support/like.ts';
import { writeNotes } from '../support/note-clients.ts';
import { startS3 } from '../support/s3.ts';
import { start, until } from '../support/system.ts';
import { command } from './command.ts';
import { degraded, isDrill } from './verify-fixture.ts';

t.test('a running system is verified under load, and tells what it compared', async (t) => {
  const s3 = await startS3(t);
  const env = { REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT: s3.endpoint, ...s3.credentials };
  const system = await start(t, env);
  const clients = writeNotes(t, { url: system.url, connections: 4, prefix: 'v', requestsPerSecond: 100 });
  await until(() => clients.acknowledged.length > 200, 'writes are answered');
  // Neither needs a credential: the primary has them.
  const [text, json] = await Promise.all([
    command(['verify'], { DATA_DIR: system.dataDir }),
    command(['verify', '--json'], { DATA_DIR: system.dataDir }),
  ]);
  await clients.stop();
  t.equal(text.code, 0, text.stderr);
  t.match(
    text.stdout,
    /^main: ok, [\d.]+ KiB restored, integrity_check ok, \d+ rows compared.*\nmedia: ok, /,
  );
  const result = JSON.parse(json.stdout);
  like(t, result, { ok: true, databases: { main: { ok: true }, media: { ok: true } } });
  t.ok(result.databases.main.rowsCompared >= 200);
  const drills = system.lines.filter(isDrill);
  t.equal(drills.length, 1, 'two who ask at once get the result of one');
  like(t, drills[0], { level: 'info', msg: /^drill ok: restored/ });
  t.notOk(existsSync(join(system.dataDir, 'drill')));
  t.same(await degraded(system), []);
  t.notMatch(JSON.stringify(system.lines), s3.credentials.AWS_SECRET_ACCESS_KEY.repeat(2));
});
