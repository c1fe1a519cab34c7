import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import { freePort } from '../../loadtest/support/free-port.ts';
import { RunningSystem } from '../../src/testing/running-system.ts';
import { command } from '../cli/command.ts';
import { APP_ARGUMENTS, DEPLOYED_APP } from '../small-app/arguments.ts';
import { request } from '../support/http.ts';
import { requestAt } from '../support/request-at.ts';
import { launch, temporaryFolder, until } from '../support/system.ts';
import { missing } from '../support/tools.ts';
import { BIN, endWithTest, notifySocket, run } from './service-fixture.ts';

/** Holds a listening socket, as systemd does, and runs the command on it, and once more when it has ended. */
const HOLDER = `
import os, signal, socket, subprocess, sys
s = socket.socket()
s.bind(('127.0.0.1', 0))
s.listen(4096)
os.dup2(s.fileno(), 3)
print('port', s.getsockname()[1], flush=True)
for _ in range(2):
    p = subprocess.Popen(['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@"'] + sys.argv[1:], pass_fds=[3])
    if p.wait() != 0: sys.exit(1)
`;

t.test(
  'the watchdog is fed while workers die again and again, and while the writer does',
  { skip: missing('systemd-notify') || missing('python3') },
  async (t) => {
    const folder = temporaryFolder(t);
    const { socket, lines, told } = await notifySocket(t, folder);
    const code = new Deployment(join(folder, 'project'), DEPLOYED_APP);
    const dataDir = join(folder, 'data');
    mkdirSync(dataDir);
    const env = {
      NOTIFY_SOCKET: socket,
      // Fed twice in that time.
      WATCHDOG_USEC: '400000',
      SPARE_WORKERS: '0',
      RESTART_INTENSITY: '2',
      BREAKER_RETRY_MS: '1000',
    };
    // Code that works until somebody says otherwise: what runs is not changed by a deploy.
    for (const role of ['worker', 'writer']) {
      const isBad = `existsSync(${JSON.stringify(join(folder, role))})`;
      code.prepend(
        `src/${role}/main.ts`,
        `import { existsSync } from 'node:fs';\nif (${isBad}) throw new Error('bad code');`,
      );
    }
    const system = RunningSystem.launch(dataDir, env, 'pipe', { root: code.root });
    t.teardown(() => system.destroy());
    await system.ready();
    await told(/^WATCHDOG=1$/);

    writeFileSync(join(folder, 'worker'), '');
    const killedAt = system.lines.length;
    process.kill(system.pidOf('worker-1'), 'SIGKILL');
    await told(/^STATUS=serving: 1 of 2 workers/);
    const isTry = ({ msg }: { msg: string }) => /^worker-1 died: .*breaker open/.test(msg);
    await system.waitFor(isTry, killedAt);
    const fed = lines.length;
    await told(/^WATCHDOG=1$/, fed);
    t.equal((await request(`${system.url}/ready`)).status, 200, 'the other one serves meanwhile');

    writeFileSync(join(folder, 'writer'), '');
    process.kill(system.pidOf('writer'), 'SIGKILL');
    await system.waitFor(({ msg }) => /^writer died: .*breaker open/.test(msg), killedAt);
    const unready = lines.length;
    await told(/^WATCHDOG=1$/, unready);
    t.equal((await request(`${system.url}/ready`)).status, 503, 'nothing is written meanwhile');
  },
);

t.test(
  'a start that waits for the replica asks the service manager for more time',
  { skip: missing('systemd-notify') || missing('python3') },
  async (t) => {
    const folder = temporaryFolder(t);
    const { socket, told } = await notifySocket(t, folder);
    // It takes every connection and answers nothing.
    const store = createServer().listen(0, '127.0.0.1');
    t.teardown(() => store.close());
    await once(store, 'listening');
    const { port } = store.address() as { port: number };
    const system = launch(t, {
      NOTIFY_SOCKET: socket,
      REPLICA_URL: 's3://bucket/prefix',
      S3_ENDPOINT: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'y',
    });
    await told(/^EXTEND_TIMEOUT_USEC=60000000$/);
    await system.stop();
  },
);

t.test(
  'a socket of systemd is served, and no child has it',
  { skip: missing('systemd-socket-activate') },
  async (t) => {
    const dataDir = temporaryFolder(t);
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as { port: number };
    free.close();
    await once(free, 'close');
    const env = { PATH: process.env.PATH ?? '', DATA_DIR: dataDir, WORKERS: '1', LOG_FORMAT: 'json' };
    const set = Object.entries(env).flatMap(([name, value]) => ['-E', `${name}=${value}`]);
    endWithTest(t, dataDir);
    run(t, 'systemd-socket-activate', [
      '-l',
      `127.0.0.1:${port}`,
      ...set,
      process.execPath,
      BIN,
      'start',
      ...APP_ARGUMENTS,
    ]);
    const url = `http://127.0.0.1:${port}`;
    await until(
      async () => (await request(`${url}/ready`).catch(() => undefined))?.status === 200,
      'it serves',
    );
    const status = JSON.parse((await command(['status', '--json'], { DATA_DIR: dataDir })).stdout);
    t.equal(status.url, url);
    const listening = readlinkSync(`/proc/${status.primary.pid}/fd/3`);
    t.match(listening, /^socket:/);
    for (const { pid, name } of status.children) {
      t.notMatch(readFileSync(`/proc/${pid}/environ`, 'utf8'), /LISTEN_|NOTIFY_SOCKET/, name);
      const fds = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
        } catch {
          return [];
        }
      });
      t.notOk(fds.includes(listening), `${name} does not hold the port`);
    }
  },
);

t.test(
  'of several sockets of systemd each is found by its name, and one that is for nothing is told',
  { skip: missing('systemd-socket-activate') },
  async (t) => {
    const dataDir = temporaryFolder(t);
    const folder = temporaryFolder(t);
    const [port, unknown] = [await freePort(), await freePort()];
    const ops = join(folder, 'ops.sock');
    const env = { PATH: process.env.PATH ?? '', DATA_DIR: dataDir, WORKERS: '1', LOG_FORMAT: 'json' };
    const set = Object.entries(env).flatMap(([name, value]) => ['-E', `${name}=${value}`]);
    const listen = [ops, `127.0.0.1:${unknown}`, `127.0.0.1:${port}`].flatMap((at) => ['-l', at]);
    endWithTest(t, dataDir);
    const { lines } = run(t, 'systemd-socket-activate', [
      ...[...listen, '--fdname=ops:web:http', ...set],
      ...[process.execPath, BIN, 'start', ...APP_ARGUMENTS],
    ]);
    await until(
      async () => (await request(`http://127.0.0.1:${port}/ready`).catch(() => undefined))?.status === 200,
      'it serves',
    );
    t.equal((await requestAt(ops, '/metrics')).status, 200);
    t.equal((await requestAt(ops, '/note')).status, 404);
    t.equal((await request(`http://127.0.0.1:${port}/note`)).status, 200);
    const status = JSON.parse((await command(['status', '--json'], { DATA_DIR: dataDir })).stdout);
    t.same([status.url, status.ops], [`http://127.0.0.1:${port}`, 'the socket of the service manager']);
    t.notOk(existsSync(join(dataDir, 'run', 'ops.sock')), 'OPS_LISTEN does not count then');
    t.same(
      lines.filter((line) => line.includes('service manager passes')).map((line) => JSON.parse(line).msg),
      ['the service manager passes a socket named web, which is not served: expected http or ops'],
    );
  },
);

t.test(
  "a socket of systemd that others could reach is not taken for the operator's",
  { skip: missing('systemd-socket-activate') },
  async (t) => {
    const dataDir = temporaryFolder(t);
    const port = await freePort();
    const env = {
      PATH: process.env.PATH ?? '',
      DATA_DIR: dataDir,
      PORT: '0',
      WORKERS: '1',
      LOG_FORMAT: 'json',
    };
    const set = Object.entries(env).flatMap(([name, value]) => ['-E', `${name}=${value}`]);
    endWithTest(t, dataDir);
    const { child, lines } = run(t, 'systemd-socket-activate', [
      ...['-l', `0.0.0.0:${port}`, '--fdname=ops', ...set],
      ...[process.execPath, BIN, 'start', ...APP_ARGUMENTS],
    ]);
    const ended = once(child, 'exit');
    let isOver = false;
    const client = (async () => {
      while (!isOver) await request(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    })();
    t.same(await ended, [78, null]);
    isOver = true;
    await client;
    const fatal = lines.map((line) => JSON.parse(line)).find(({ level }) => level === 'fatal');
    t.equal(
      fatal?.msg,
      'The socket ops of the service manager listens on 0.0.0.0: make it one of Unix, or of a loopback address',
    );
  },
);

t.test(
  'a restart on a socket that the service manager holds refuses no connection',
  { skip: missing('python3') },
  async (t) => {
    const dataDir = temporaryFolder(t);
    endWithTest(t, dataDir);
    const env = { DATA_DIR: dataDir, WORKERS: '2', LOG_FORMAT: 'json', LOG_LEVEL: 'warn' };
    const { child, lines } = run(
      t,
      'python3',
      ['-c', HOLDER, process.execPath, BIN, 'start', ...APP_ARGUMENTS],
      env,
    );
    await until(() => lines[0] !== undefined, 'the port is held');
    const port = Number(lines[0]?.split(' ')[1]);
    // Each on a connection of its own.
    const ask = () =>
      new Promise<number>((resolve, reject) => {
        get({ port, path: '/health', agent: false }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
        }).on('error', reject);
      });
    t.equal(await ask(), 200, 'the first waits for the start');
    let isOver = false;
    const failures: string[] = [];
    let served = 0;
    const clients = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        await ask().then(
          () => {
            served += 1;
          },
          (error: Error) => failures.push(error.message),
        );
      }
    });
    const pidOfPrimary = async () =>
      JSON.parse((await command(['status', '--json'], { DATA_DIR: dataDir })).stdout || '{}').primary?.pid;
    const first = await pidOfPrimary();
    const before = served;
    t.equal((await command(['stop'], { DATA_DIR: dataDir })).code, 0);
    await until(async () => ![undefined, first].includes(await pidOfPrimary()), 'the next one runs');
    const during = served;
    await until(() => served > during + 50, 'it serves');
    isOver = true;
    await Promise.all(clients);
    t.equal((await command(['stop'], { DATA_DIR: dataDir })).code, 0);
    if (child.exitCode === null) await once(child, 'exit');
    t.ok(before > 0);
    t.same(failures, []);
  },
);
