import { readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Trouble } from '../../src/messages/messages.ts';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { findLitestream } from '../../src/replication/binary.ts';
import { command } from '../cli/command.ts';
import { everyWriteIsThere } from '../support/history.ts';
import { noteOf, request } from '../support/http.ts';
import { writeNotes } from '../support/note-clients.ts';
import { nodeChildrenOf, withoutDeathSignal } from '../support/orphans.ts';
import { launch, start, startPair, temporaryFolder, until } from '../support/system.ts';
import { HUNG_AFTER_MS } from './crash-fixture.ts';

t.test('when all workers are killed at once under load, no connection is refused', async (t) => {
  const system = await startPair(t);
  const clients = writeNotes(t, {
    url: system.url,
    connections: 20,
    prefix: 'all',
    hungAfterMs: HUNG_AFTER_MS,
    keepAlive: false,
  });
  for (let round = 0; round < 5; round += 1) {
    const from = system.lines.length;
    const before = clients.acknowledged.length;
    await until(() => clients.acknowledged.length > before + 50, 'writes are answered');
    for (const name of ['worker-1', 'worker-2']) process.kill(system.pidOf(name), 'SIGKILL');
    await Promise.all(
      ['worker-1', 'worker-2'].map((name) => system.waitFor((line) => line.msg === `${name} ready`, from)),
    );
  }
  await clients.stop();
  const kinds = new Set(clients.failed.map(({ detail }) => detail));
  t.notOk(kinds.has('ECONNREFUSED'), 'none was refused');
  t.notOk(kinds.has('HUNG'), 'none hung');
  t.same(
    [...kinds].filter((kind) => kind !== 'ECONNRESET'),
    [],
    'only requests in flight failed',
  );
  everyWriteIsThere(t, system.dataDir, clients.acknowledged);
});

t.test('with as many spares as workers, all workers killed at once are made up for by them', async (t) => {
  const system = await startPair(t, { SPARE_WORKERS: '2' });
  const waiting = async () => {
    const { stdout } = await command(['status', '--json'], { DATA_DIR: system.dataDir });
    const { children } = JSON.parse(stdout) as SystemSnapshot;
    return children.filter(({ role, state }) => role === 'worker-spare' && state === 'standby');
  };
  await until(async () => (await waiting()).length === 2, 'both wait');
  const spares = await waiting();
  t.same(
    spares.map(({ name }) => name),
    ['worker-spare-1', 'worker-spare-2'],
  );
  const names = ['worker-1', 'worker-2'];
  const from = system.lines.length;
  for (const name of names) process.kill(system.pidOf(name), 'SIGKILL');
  await Promise.all(names.map((name) => system.waitFor((line) => line.msg === `${name} ready`, from)));
  t.same(new Set(names.map((name) => system.pidOf(name))), new Set(spares.map(({ pid }) => pid)));
  t.equal((await request(`${system.url}/health`)).status, 200);
  const { role, pid } = await system.waitFor(({ msg }) => msg === 'request', from);
  t.equal(system.pidOf(String(role)), pid, 'a line of the log has the name of the place');
});

t.test('a killed Litestream is started again, and nobody notices', async (t) => {
  const system = await startPair(t);
  await system.killChild('litestream');
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('a') })).status, 201);
});

t.test('a Litestream whose file is exchanged for one of another format is not started', async (t) => {
  const { path } = await findLitestream({ litestreamBin: undefined });
  const folder = temporaryFolder(t);
  const LITESTREAM_BIN = join(folder, 'litestream');
  symlinkSync(path, LITESTREAM_BIN);
  const settings = { WORKERS: '1', SPARE_WORKERS: '0', BREAKER_RETRY_MS: '500' };
  const system = await start(t, { ...settings, LITESTREAM_BIN });
  const other = join(folder, 'other');
  writeFileSync(other, '#!/bin/sh\necho v0.5.17\n', { mode: 0o755 });
  renameSync(other, LITESTREAM_BIN);
  const isBack = system.killChild('litestream');
  await system.waitFor(({ msg }) => msg.includes('is Litestream 0.5.17, which writes another format'));
  t.equal((await request(`${system.url}/ready`)).status, 200);
  symlinkSync(path, other);
  renameSync(other, LITESTREAM_BIN);
  await isBack;
});

t.test('a child that outlives its killed primary is ended by the next start', async (t) => {
  const system = await startPair(t, withoutDeathSignal(t));
  const stopped = system.pidOf('worker-1');
  process.kill(stopped, 'SIGSTOP');
  system.kill('SIGKILL');
  await until(
    () => nodeChildrenOf(system.dataDir).join() === String(stopped),
    'of the Node processes only the stopped worker is left',
  );
  const next = await startPair(t, {}, system.dataDir);
  t.ok(
    next.lines.some((line) => line.orphanPid === stopped),
    'the log names it',
  );
  t.throws(() => readFileSync(`/proc/${stopped}/environ`), 'it is gone');
});

t.test('a killed worker is replaced, and the service goes on', async (t) => {
  const system = await startPair(t);
  await system.killChild('worker-1');
  for (let turn = 0; turn < 4; turn += 1) {
    t.equal((await request(`${system.url}/health`)).status, 200);
  }
  const death = system.lines.find((line) => line.msg.startsWith('worker-1 died: killed by SIGKILL'));
  t.ok(death, 'the log says why');
});

t.test('a second start on the same folder says who holds it', async (t) => {
  const system = await startPair(t, { SPARE_WORKERS: '1' });
  const second = launch(t, {}, system.dataDir);
  const { code } = await second.ended();
  t.equal(code, 73);
  t.match(second.stderr, new RegExp(`in use by process ${system.pid} on`));
  t.equal((await request(`${system.url}/health`)).status, 200, 'the first goes on');
});

t.test('what nobody makes up for is back soon, however often its code fails', async (t) => {
  const system = await startPair(t, {
    SPARE_WORKERS: '1',
    RESTART_INTENSITY: '2',
    RESTART_BACKOFF_MAX_MS: '200',
    BREAKER_RETRY_MS: '3600000',
  });
  await system.killChild('worker-1', 'SIGBUS');
  const isBroken = ({ msg }: { msg: string }) => /^worker-1 died: killed by SIGBUS; breaker open/.test(msg);
  const broken = system.waitFor(isBroken);
  process.kill(system.pidOf('worker-1'), 'SIGBUS');
  await broken;
  for (let fault = 0; fault < 4; fault += 1) await system.killChild('worker-2', 'SIGBUS');
  for (let fault = 0; fault < 4; fault += 1) await system.killChild('writer', 'SIGBUS');
  const { status } = await request(`${system.url}/note`, { method: 'POST', body: noteOf('after') });
  t.equal(status, 201, 'the whole serves');
  const { json } = await request(`${system.url}/ready?verbose`);
  const reasons = new Map(json.degraded.map(({ name, reason }: Trouble) => [name, reason]));
  for (const name of ['worker-2', 'writer'])
    t.match(reasons.get(name), /^serves again, and is failing again and again: \d+ was killed by SIGBUS$/);
});
