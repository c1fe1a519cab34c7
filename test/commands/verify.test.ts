import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { writeNotes } from '../support/note-clients.ts';
import { startS3 } from '../support/s3.ts';
import { processesOf, start, until } from '../support/system.ts';
import { command } from './command.ts';
import { degraded, isDrill } from './verify-fixture.ts';

t.test('a running system is verified under load, and tells what it compared', async (t) => {
  const s3 = await startS3(t);
  const env = { REPLICA_URL: `s3://${s3.bucket}/p`, S3_ENDPOINT: s3.endpoint, ...s3.credentials };
  const system = await start(t, env);
  const clients = writeNotes({ url: system.url, connections: 4, prefix: 'v', hungAfterMs: 10_000 });
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

t.test('a drill whose process is killed has failed, and the next one does not mind', async (t) => {
  const system = await start(t, { REPLICA_STALL_TIMEOUT_MS: '60000' });
  const litestream = system.pidOf('litestream');
  // Without it the drill waits for a confirmation.
  process.kill(litestream, 'SIGSTOP');
  await request(`${system.url}/note`, { method: 'POST', body: noteOf('a') });
  const verifying = command(['verify'], { DATA_DIR: system.dataDir });
  let drill: number | undefined;
  await until(() => {
    drill = processesOf(system.dataDir).find((pid) => {
      try {
        return /ninelives drill/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        return false;
      }
    });
    return drill !== undefined && existsSync(join(system.dataDir, 'drill'));
  }, 'it drills');
  process.kill(drill as number, 'SIGKILL');
  like(t, await verifying, { code: 80 });
  like(t, await system.waitFor(isDrill), { drill: { ok: false, reason: /process .*SIGKILL/ } });
  t.notOk(existsSync(join(system.dataDir, 'drill')));
  process.kill(litestream, 'SIGCONT');
  t.equal((await command(['verify'], { DATA_DIR: system.dataDir })).code, 0);
});
