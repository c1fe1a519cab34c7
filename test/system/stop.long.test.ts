import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { controlSocketPath } from '../../src/supervisor/control.ts';
import { stopTimeoutMsOf } from '../../src/supervisor/stop-deadline.ts';
import { command, startCommand } from '../cli/command.ts';
import { bare } from '../support/bare.ts';
import { request } from '../support/http.ts';
import { processesOf, start, startPair, temporaryFolder, until } from '../support/system.ts';

t.test('an interrupt at the terminal, which reaches every process, stops as gracefully', async (t) => {
  const system = await startPair(t);
  for (const name of ['worker-1', 'worker-2', 'writer']) process.kill(system.pidOf(name), 'SIGINT');
  system.kill('SIGINT');
  t.equal((await system.ended()).code, 0);
  t.notOk(
    system.lines.some((line) => /died/.test(line.msg)),
    'no child took it for itself',
  );
});

t.test('idle clients of the control socket hold no stop', async (t) => {
  const system = await startPair(t);
  const path = controlSocketPath(system.dataDir);
  const idle = connect(path);
  const halfSent = connect(path);
  const deaf = connect(path).pause();
  for (const socket of [idle, halfSent, deaf]) {
    await once(socket, 'connect');
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
  }
  halfSent.write('["sta');
  deaf.write('["events"]\n');
  await system.waitFor(({ msg }) => msg.startsWith('tally ready'));
  t.equal((await system.stop()).code, 0);
});

t.test('a standard output that nobody reads holds no stop', async (t) => {
  const dataDir = temporaryFolder(t);
  const fifo = join(dataDir, 'output');
  execFileSync('mkfifo', [fifo]);
  // Both ends: it has a reader, which never reads.
  const pipe = openSync(fifo, 'r+');
  t.teardown(() => closeSync(pipe));
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, DATA_DIR: dataDir, PORT: '0', WORKERS: '1', LOG_LEVEL: 'trace' };
  const bin = new URL('../../src/bin.js', import.meta.url).pathname;
  const system = spawn(...bare(process.execPath, [bin, 'start']), {
    cwd: dataDir,
    env,
    stdio: ['ignore', pipe, pipe],
  });
  t.teardown(async () => {
    system.kill('SIGKILL');
    for (const pid of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
    await until(() => processesOf(dataDir).length === 0, 'every process of it is gone');
  });
  let url: string | undefined;
  await until(async () => {
    const { code, stdout } = await command(['status', '--json'], { DATA_DIR: dataDir });
    const snapshot = code === 0 ? JSON.parse(stdout) : undefined;
    url = snapshot?.url;
    return snapshot?.state === 'serving';
  }, 'it serves');
  for (let round = 0; round < 50; round += 1)
    await Promise.all(Array.from({ length: 20 }, () => request(`${url}/health?${'x'.repeat(300)}`)));
  system.kill('SIGTERM');
  const [code] = await once(system, 'exit');
  t.equal(code, 0);
});

t.test('half-sent requests and idle connections cannot hold a stop past its deadline', async (t) => {
  const system = await start(t, { DRAIN_TIMEOUT_MS: '1000' });
  const { port, hostname } = new URL(system.url);
  const sockets = Array.from({ length: 10 }, (_, index) => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    if (index % 2 === 0)
      socket.write('POST /note HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"half":');
    return socket;
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  const { code, tookMs } = await system.stop();
  t.equal(code, 0);
  t.ok(tookMs < 3000, `${Math.round(tookMs)} ms`);
});

t.test('a stop while a Litestream that stands still is restarted has its own deadline', async (t) => {
  const settings = { DRAIN_TIMEOUT_MS: '30000', REPLICA_STOP_TIMEOUT_MS: '500' };
  const system = await start(t, settings);
  const env = { DATA_DIR: system.dataDir };
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  const restarting = startCommand(['restart', 'litestream'], env);
  await system.waitFor(({ msg }) => msg.startsWith('operator: restart'));
  const { code, tookMs } = await system.stop();
  t.equal(code, 0);
  const ran = await restarting.ended;
  t.not(ran.code, 0);
  t.match(ran.stderr, /litestream is being stopped/);
  t.ok(tookMs < stopTimeoutMsOf({ DRAIN_TIMEOUT_MS: 0, REPLICA_STOP_TIMEOUT_MS: 500 }), `${tookMs} ms`);
});
