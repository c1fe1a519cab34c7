import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startMessageTrap } from '../../loadtest/support/message-trap.ts';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import { requestAt } from '../support/request-at.ts';
import { startStoreProxy } from '../support/s3.ts';
import { until } from '../support/system.ts';
import { bothOf, pair, standsBy, written } from './failover-fixture.ts';

t.test('what the mirror lacks, or has otherwise, comes from the store', async (t) => {
  const { member } = await pair(t);
  const { leader, standby } = await bothOf({ member });
  await written(leader, 'one');
  const segments = join(standby.dataDir, 'mirror', 'e000001', 'main', 'generations');
  const segmentFiles = () =>
    existsSync(segments)
      ? readdirSync(segments, { recursive: true, encoding: 'utf8' }).filter((name) =>
          name.endsWith('.wal.lz4'),
        )
      : [];
  await until(() => segmentFiles().length > 0, 'segments are mirrored');
  // Its process goes on as if they were there.
  for (const name of segmentFiles()) rmSync(join(segments, name));
  for (const pid of [leader.pid]) process.kill(pid, 'SIGKILL');
  await standby.ready();
  t.equal((await request(`${standby.url}/note/one`)).status, 200);
});

async function statusOf(dataDir: string): Promise<SystemSnapshot> {
  return JSON.parse((await command(['status', '--json'], { DATA_DIR: dataDir })).stdout) as SystemSnapshot;
}

t.test('a standby mirrors the replica, proves it, takes over from it, and that is told once', async (t) => {
  const { store, env, member, record } = await pair(t);
  const trap = await startMessageTrap();
  t.teardown(trap.close);
  const notify = { NOTIFY_AFTER_MS: '1000', NOTIFY_URL: `${trap.url}/messages` };
  const leader = member('a', undefined, notify);
  await leader.ready();
  await written(leader, 'one');
  const way = await startStoreProxy(t, store);
  const standby = member('b', undefined, { ...notify, S3_ENDPOINT: way.endpoint });
  const standbyUrl = await standsBy(standby);
  const mirror = join(standby.dataDir, 'mirror');
  await until(() => existsSync(join(mirror, 'e000001', 'main')), 'the mirror has the epoch that counts');
  await written(leader, 'two');

  const gaugesOf = async () =>
    (await statusOf(standby.dataDir)).children.find(({ name }) => name === 'mirror')?.gauges ?? {};
  await until(async () => (await gaugesOf()).lag_seconds === 0, 'it lacks nothing');

  const { code, stdout, stderr } = await command(['verify'], { DATA_DIR: standby.dataDir });
  t.equal(code, 0, stdout + stderr);
  const { lastDrill } = await statusOf(standby.dataDir);
  t.equal(lastDrill?.ok, true);
  t.ok((lastDrill?.takeover?.restoreMs ?? 0) > 0);
  t.equal(lastDrill?.takeover?.refusal, undefined);
  t.equal(existsSync(join(standby.dataDir, 'drill')), false, 'it leaves nothing behind');

  await t.test('its operator sees how it is', async (t) => {
    const snapshot = await statusOf(standby.dataDir);
    t.equal(snapshot.failover?.role, 'standby');
    t.equal(snapshot.failover?.epoch, 1);
    t.equal(snapshot.failover?.holder, `a (process ${leader.pid})`);
    t.ok((snapshot.failover?.mirror?.bytes ?? 0) > 0);
    t.ok(Date.now() - (snapshot.failover?.renewedAtMs ?? 0) < 30_000);
    t.strictSame(snapshot.status.degraded, []);
    const { stdout } = await command(['status'], { DATA_DIR: standby.dataDir });
    t.match(stdout, /^failover +standby, epoch 1, a \(process \d+\) leads, renewed .* ago$/m);
    t.match(stdout, /^mirror +.* in \d+ files, lag 0\.0 s$/m);
    t.match(stdout, /^takeover +the last drill restored in /m);
    const socket = join(standby.dataDir, 'run', 'ops.sock');
    const { status, text } = await requestAt(socket, '/metrics');
    t.equal(status, 200);
    t.match(text, /^ninelives_failover_role\{role="standby"\} 1$/m);
    t.match(text, /^ninelives_mirror_lag_seconds 0$/m);
    const port = Number(new URL(standbyUrl).port);
    t.equal((await requestAt(port, '/metrics')).status, 401);
    t.equal((await requestAt(port, '/ops')).status, 200);
    t.equal((await requestAt(port, '/ops/view.js')).status, 200);
    for (const words of [
      ['keys', 'list'],
      ['keys', 'create', '--name', 'x', '--scope', 'admin'],
    ]) {
      const { code, stderr } = await command(words, { ...env, DATA_DIR: standby.dataDir });
      t.equal(code, 75);
      t.match(stderr, `the keys are those of the one that leads: a (process ${leader.pid}). Run it there.`);
    }
    const { stderr: ofReload } = await command(['reload'], { DATA_DIR: standby.dataDir });
    t.match(ofReload, 'This system stands by, and serves nobody: restart it with the other release.');
    const { stderr: ofRestart } = await command(['restart', 'worker'], { DATA_DIR: standby.dataDir });
    t.match(ofRestart, `This system stands by, and a (process ${leader.pid}) leads: ask that one`);
    const { stdout: link } = await command(['ops'], { DATA_DIR: standby.dataDir });
    const token = /#(\S+)/.exec(link)?.[1];
    const opened = await requestAt(port, '/ops/session', { method: 'POST', body: { token } });
    t.equal(opened.status, 200, opened.text);
    const headers = { Authorization: `Bearer ${JSON.parse(opened.text).session}` };
    t.equal((await requestAt(port, '/metrics', { headers })).status, 200);
  });

  leader.kill('SIGKILL');
  await leader.ended();
  const gets = way.counts.GET ?? 0;
  await standby.ready();
  for (const id of ['one', 'two']) t.equal((await request(`${standby.url}/note/${id}`)).status, 200, id);
  t.equal(record().epoch, 2);
  t.comment(`${(way.counts.GET ?? 0) - gets} GETs from the kill to serving`);
  t.equal(existsSync(mirror), false, 'a leader needs none');
  const { events, failover } = await statusOf(standby.dataDir);
  t.strictSame([failover?.role, failover?.epoch, failover?.mirror], ['leader', 2, null]);
  const kinds = events.map(({ kind }) => kind);
  t.strictSame(
    kinds.filter((kind) => ['standby', 'leads', 'took-over'].includes(kind)),
    ['standby', 'leads', 'leads', 'took-over'],
  );

  await until(() => trap.messages().some(({ condition }) => condition === 'takeover'), 'it is told');
  const again = member('a', leader.dataDir, notify);
  await standsBy(again);
  await until(async () => (await statusOf(again.dataDir)).failover?.holder != null, 'it knows who leads');
  t.equal((await again.stop()).code, 0);
  t.equal((await standby.stop()).code, 0);
  // On a busy machine a start, or an answer of the store, may take so long that it is told as well.
  const ofTakeover = ['takeover', 'primary', 'standby', 'peer'];
  const told = trap.messages().filter(({ condition }) => ofTakeover.includes(condition));
  t.strictSame(
    told.map(({ condition, status }) => [condition, status]),
    [['takeover', 'problem']],
    'and of a standby that waits nothing',
  );
  t.match(told[0]?.cause, /^took over from a \(process \d+\), and serves in e000002$/);
});
