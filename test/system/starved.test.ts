import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Trouble } from '../../src/runtime/messages.ts';
import { RunningSystem } from '../../src/testing/running-system.ts';
import { command } from '../commands/command.ts';
import { alertOf, request } from '../support/http.ts';
import { processesOf, start, temporaryFolder, until } from '../support/system.ts';

/** Their back-off is short, so that they are back soon after what they lacked. */
const SETTINGS = { RESTART_BACKOFF_MAX_MS: '200', BREAKER_RETRY_MS: '200', OVERLOAD_LAG_MS: '0' };
const CHILDREN = ['worker-1', 'worker-2', 'writer', 'mailer', 'litestream'];

/** Lets a process open so many files and no more. */
function limitFiles(pid: number, count: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`]);
}

async function statusOf({ dataDir }: RunningSystem) {
  return JSON.parse((await command(['status', '--json'], { DATA_DIR: dataDir })).stdout);
}

async function killAll(system: RunningSystem, from: number): Promise<void> {
  for (const name of CHILDREN) process.kill(system.pidOf(name), 'SIGKILL');
  await Promise.all(
    // The spare is there already for a worker.
    CHILDREN.slice(2).map((name) =>
      system.waitFor(({ msg }) => msg.startsWith(`${name} died: could not be started: `), from),
    ),
  );
}

async function serves(t: Test, system: RunningSystem): Promise<void> {
  await until(async () => {
    const { ready, degraded } = (await statusOf(system)).status;
    return ready && degraded.length === 0;
  }, 'nothing is wrong any more');
  t.equal((await request(`${system.url}/alert`, { method: 'POST', body: alertOf('a') })).status, 201);
}

t.test('a primary that can open no file lives on, and brings everything back when it can', async (t) => {
  const system = await start(t, SETTINGS);
  await system.waitFor(({ msg }) => msg === 'mailer ready');
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${system.pid}/limits`, 'utf8'))!;
  limitFiles(system.pid, 1);
  await killAll(system, system.lines.length);
  limitFiles(system.pid, Number(soft));
  await serves(t, system);
});

t.test('a primary whose Node.js is gone lives on, tells why, and brings everything back', async (t) => {
  const folder = temporaryFolder(t);
  const node = join(folder, 'node');
  copyFileSync(process.execPath, node);
  const system = RunningSystem.launch(temporaryFolder(t), SETTINGS, 'pipe', { nodePath: node });
  t.teardown(() => system.destroy());
  await system.ready();
  await system.waitFor(({ msg }) => msg === 'mailer ready');
  renameSync(node, `${node}-gone`);
  // The spare is one of them.
  for (const pid of processesOf(system.dataDir)) process.kill(pid, 'SIGKILL');
  await until(async () => {
    const { notReady, degraded } = (await statusOf(system)).status;
    return ['writer', 'mailer'].every((name) =>
      [...notReady, ...degraded].some(
        (trouble: Trouble) =>
          trouble.name === name && /could not be started: spawn \S+ ENOENT/.test(trouble.reason),
      ),
    );
  }, 'the status says so');
  await until(async () => {
    const { notReady } = (await statusOf(system)).status;
    return notReady.some(({ name, reason }: Trouble) => name === 'worker' && reason === 'none serves');
  }, 'no worker is left, nor a spare');
  const answer = request(`${system.url}/health`);
  const died = await system.waitFor(
    ({ msg }) => /^worker-1 died: could not be started: .*; next start in \d+ ms$/.test(msg),
    0,
  );
  t.ok(died, 'it is tried again, as no fault of the code');
  renameSync(`${node}-gone`, node);
  t.equal((await answer).status, 200, 'a connection has waited for a worker');
  await serves(t, system);
});
