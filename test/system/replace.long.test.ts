import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import type { ChildSnapshot, SystemSnapshot } from '../../src/messages/snapshot.ts';
import { readEvents } from '../../src/supervisor/events.ts';
import { RunningSystem } from '../../src/testing/running-system.ts';
import { command } from '../cli/command.ts';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { writeNotes } from '../support/note-clients.ts';
import { type LogLine, processesOf, startPair, temporaryFolder, until } from '../support/system.ts';
import { reloadsUnderLoad, stoppedNext, titleOf } from './replace-fixture.ts';

const LIMIT_TROUBLE =
  /^MEMORY_LIMIT_MB=40 is below what a process takes that has just started: \S+ took \d+ MB$/;

t.test('reload after reload, as fast as the clients write, fails no request', (t) =>
  reloadsUnderLoad(t, { reloads: 4 }),
);

t.test('workers that have served enough are replaced one after the other, unnoticed', async (t) => {
  const system = await startPair(t, { MAX_REQUESTS: '200' });
  const clients = writeNotes(t, { url: system.url, connections: 10, prefix: 'age', hungAfterMs: 10_000 });
  for (const name of ['worker-1', 'worker-2']) {
    await system.waitFor(
      (line) => line.msg.startsWith(`${name} ready, replaces`) && /served/.test(String(line.cause)),
    );
  }
  await clients.stop();
  t.same(clients.failed, []);
});

t.test('a memory limit below what an idle process takes replaces each once, and is told of', async (t) => {
  const system = await startPair(t, { MEMORY_LIMIT_MB: '40' });
  const names = ['worker-1', 'worker-2', 'tally', 'writer'];
  const isReplacement = ({ msg, cause }: LogLine) =>
    / ready, replaces \d+: memory \d+ MB is past its limit of 40 MB/.test(msg) && cause !== undefined;
  for (const name of names) await system.waitFor((line) => line.child === name && isReplacement(line), 0);
  await until(async () => {
    const { stdout } = await command(['status', '--json'], { DATA_DIR: system.dataDir });
    const { status } = JSON.parse(stdout) as SystemSnapshot;
    return status.degraded.some(({ name, reason }) => name === 'limits' && LIMIT_TROUBLE.test(reason));
  }, 'the status says so');
  await system.killChild('worker-1');
  const count = system.lines.filter(isReplacement).length;
  t.equal(count, names.length, 'none was replaced twice');
});

t.test('a Litestream that stands still is noticed, shown and replaced', async (t) => {
  const system = await startPair(t, { REPLICA_SYNC_INTERVAL_MS: '100', REPLICA_STALL_TIMEOUT_MS: '1500' });
  const clients = writeNotes(t, {
    url: system.url,
    connections: 2,
    prefix: 'stall',
    hungAfterMs: 10_000,
  });
  await until(() => clients.acknowledged.length > 20, 'writes are answered');
  const from = system.lines.length;
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  await until(async () => {
    const { json } = await request(`${system.url}/ready`);
    return json.ready && /replication/.test(JSON.stringify(json.degraded));
  }, '/ready tells of it while the service goes on');
  await system.waitFor(({ msg }) => /^litestream died: stalled/.test(msg), from);
  await system.waitFor(({ msg }) => msg === 'replication is streaming again', from);
  await clients.stop();
  t.same(clients.failed, []);
});

t.test('a system that stood still as a whole goes on as if nothing had happened', async (t) => {
  const stall = { REPLICA_SYNC_INTERVAL_MS: '100', REPLICA_STALL_TIMEOUT_MS: '1500' };
  const system = await startPair(t, { ...stall, HANG_TIMEOUT_MS: '500', WRITE_DEADLINE_MS: '20000' });
  const clients = writeNotes(t, {
    url: system.url,
    connections: 4,
    prefix: 'still',
    hungAfterMs: 20_000,
  });
  await until(() => clients.acknowledged.length > 20, 'writes are answered');
  const tree = [system.pid, ...processesOf(system.dataDir)];
  for (const pid of tree) process.kill(pid, 'SIGSTOP');
  // Longer than what any of them may be silent for.
  await delay(5000);
  for (const pid of tree.reverse()) process.kill(pid, 'SIGCONT');
  const before = clients.acknowledged.length;
  await until(() => clients.acknowledged.length > before + 50, 'writes are answered again');
  await until(async () => {
    const { json } = await request(`${system.url}/ready?verbose`);
    return json.replication.state === 'streaming' && json.replication.lagMs < 1000;
  }, 'the replica has them');
  await clients.stop();
  t.same(clients.failed, []);
  const harmful = new Set(['crash', 'restart', 'breaker-open', 'stall']);
  t.same(
    readEvents(system.dataDir).filter(({ kind }) => harmful.has(kind)),
    [],
  );
});

t.test('a next writer that dies while the old one drains leaves no empty place', async (t) => {
  const system = await startPair(t, { DRAIN_TIMEOUT_MS: '5000' });
  const env = { DATA_DIR: system.dataDir };
  const old = system.pidOf('writer');
  const before = new Set(processesOf(system.dataDir));
  // It cannot drain, and is killed at the deadline.
  process.kill(old, 'SIGSTOP');
  const restarting = command(['restart', 'writer'], env);
  await until(async () => {
    const { children } = JSON.parse((await command(['status', '--json'], env)).stdout);
    return children.some(
      (child: { pid: number; state: string }) => child.pid === old && child.state === 'draining',
    );
  }, 'the old one drains');
  const next = processesOf(system.dataDir).filter((pid) => !before.has(pid) && /writer/.test(titleOf(pid)));
  t.equal(next.length, 1);
  process.kill(next[0]!, 'SIGKILL');
  const { code, stderr } = await restarting;
  t.not(code, 0);
  t.match(stderr, /the new writer did not come up: killed by SIGKILL/);
  const answer = await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') });
  t.equal(answer.status, 201);
});

/** What a child was forked with; one that is only tried has another role. */
const CONTEXT = 'JSON.parse(process.env.NINELIVES_CHILD)';

/** A system with one worker, and a deploy whose code comes up where it is tried, and hangs where it shall serve. */
async function startWithHang(t: Test, entry: string, condition: string) {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const deployment = new Deployment(join(folder, 'project'), DEPLOYED_APP);
  const settings = { OVERLOAD_LAG_MS: '0', WORKERS: '1' };
  const system = RunningSystem.launch(dataDir, settings, 'pipe', { root: deployment.root });
  t.teardown(() => system.destroy());
  await system.ready();
  const hang = () => deployment.prepend(entry, `if (${condition}) await new Promise(() => {});`);
  const find = async (wanted: (child: ChildSnapshot) => boolean) => {
    const { stdout } = await command(['status', '--json'], { DATA_DIR: dataDir });
    return (JSON.parse(stdout) as SystemSnapshot).children.find(wanted);
  };
  const crashes = () =>
    readEvents(dataDir)
      .filter(({ kind }) => kind === 'crash')
      .map(({ child, pid, cause }) => ({ child, pid, cause }));
  return { system, hang, find, crashes };
}

t.test('a lone worker that dies during its own replacement is made up for by the spare', async (t) => {
  const { system, hang, find, crashes } = await startWithHang(
    t,
    'src/worker/main.ts',
    `${CONTEXT}.role === 'worker-1'`,
  );
  const isSpare = ({ state }: ChildSnapshot) => state === 'standby';
  await until(async () => (await find(isSpare)) !== undefined, 'the spare stands by');
  const spare = await find(isSpare);
  hang();
  system.kill('SIGHUP');
  await until(async () => (await find(({ isBeingReplaced }) => isBeingReplaced)) !== undefined, 'it loads');
  const from = system.lines.length;
  const killed = system.pidOf('worker-1');
  process.kill(killed, 'SIGKILL');
  const ready = await system.waitFor(({ msg }) => msg === 'worker-1 ready', from, 5000);
  t.equal(ready.childPid, spare?.pid);
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
  t.same(crashes(), [{ child: 'worker-1', pid: killed, cause: 'killed by SIGKILL' }]);
});

t.test('a writer that dies while the next one still loads is made up for at once', async (t) => {
  const isNext = `${CONTEXT}.role === 'writer' && ${CONTEXT}.standby === 'all'`;
  const { system, hang, find, crashes } = await startWithHang(t, 'src/writer/main.ts', isNext);
  hang();
  const reloading = command(['reload'], { DATA_DIR: system.dataDir });
  await until(async () => (await find(({ isBeingReplaced }) => isBeingReplaced)) !== undefined, 'it loads');
  const killed = system.pidOf('writer');
  await system.killChild('writer');
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
  t.same(crashes(), [{ child: 'writer', pid: killed, cause: 'killed by SIGKILL' }]);
  t.equal((await system.stop()).code, 0);
  t.not((await reloading).code, 0);
});

/** An upload whose client takes its time: it has sent its head and a part of its body. */
async function slowUpload({ url }: RunningSystem, id: string) {
  const body = JSON.stringify(noteOf(id));
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    Expect: '100-continue',
  };
  const upload = httpRequest(`${url}/note`, { method: 'POST', headers, agent: false });
  upload.on('error', () => {});
  upload.flushHeaders();
  // Only a worker that has it says so.
  await once(upload, 'continue');
  upload.write(body.slice(0, 10));
  return {
    upload,
    async finish(): Promise<number | undefined> {
      const answered = once(upload, 'response');
      upload.end(body.slice(10));
      const [answer] = (await answered) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    },
  };
}

t.test('an upload that is slower than DRAIN_TIMEOUT_MS survives a reload and a restart', async (t) => {
  const system = await startPair(t, { DRAIN_TIMEOUT_MS: '100' });
  const first = await slowUpload(system, 'first');
  const from = system.lines.length;
  system.kill('SIGHUP');
  await system.waitFor(({ msg }) => msg.startsWith('reload done'), from);
  t.equal(await first.finish(), 201);
  const second = await slowUpload(system, 'second');
  const env = { DATA_DIR: system.dataDir };
  like(t, await command(['restart', 'worker'], env), { code: 0, stdout: 'restarted: worker-1, worker-2\n' });
  t.equal(await second.finish(), 201);
});

t.test('a stop does not wait for a slow upload that an exchange had time for', async (t) => {
  const system = await startPair(t, { DRAIN_TIMEOUT_MS: '100' });
  const { upload } = await slowUpload(system, 'cut');
  t.equal((await command(['restart', 'worker'], { DATA_DIR: system.dataDir })).code, 0);
  const closed = new Promise((resolve) => upload.once('close', resolve));
  const { code, tookMs } = await system.stop();
  t.equal(code, 0);
  t.ok(tookMs < 5000, `${tookMs} ms`);
  await closed;
});

t.test('the only worker dies while its successor stands still: the spare serves at once', async (t) => {
  const system = await startPair(t, { WORKERS: '1', SPARE_WORKERS: '1' });
  let spare: number | null | undefined;
  await until(async () => {
    const { stdout } = await command(['status', '--json'], { DATA_DIR: system.dataDir });
    const { children } = JSON.parse(stdout) as SystemSnapshot;
    spare = children.find(({ role, state }) => role === 'worker-spare' && state === 'standby')?.pid;
    return typeof spare === 'number';
  }, 'the spare stands by');
  const from = system.lines.length;
  const before = new Set(processesOf(system.dataDir));
  system.kill('SIGHUP');
  const next = await stoppedNext(system, /worker-1/, before);
  process.kill(system.pidOf('worker-1'), 'SIGKILL');
  t.equal((await request(`${system.url}/health`)).status, 200);
  await system.waitFor(({ msg, childPid }) => msg === 'worker-1 ready' && childPid === spare, from);
  process.kill(next, 'SIGCONT');
  const hasReplaced = ({ msg, childPid }: LogLine) => msg.startsWith('worker-1 ready, ') && childPid === next;
  await system.waitFor(hasReplaced, from);
  await system.waitFor(({ msg }) => msg.startsWith('reload done'), from);
  const deaths = readEvents(system.dataDir).filter(({ kind }) => kind === 'crash');
  t.same(
    deaths.map(({ child }) => child),
    ['worker-1'],
  );
});

t.test('the writer dies while its successor stands still: another one writes at once', async (t) => {
  const system = await startPair(t);
  const before = new Set(processesOf(system.dataDir));
  const old = system.pidOf('writer');
  const restarting = command(['restart', 'writer'], { DATA_DIR: system.dataDir });
  const next = await stoppedNext(system, /writer/, before);
  process.kill(old, 'SIGKILL');
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
  process.kill(next, 'SIGCONT');
  like(t, await restarting, { code: 0, stdout: 'restarted: writer\n' });
  await system.waitFor(({ msg, childPid }) => msg.startsWith('writer ready, ') && childPid === next);
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('y') })).status, 201);
});
