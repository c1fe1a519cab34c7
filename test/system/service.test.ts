import { once } from 'node:events';
import { get } from 'node:http';
import t from 'tap';
import { command } from '../commands/command.ts';
import { startPair, temporaryFolder, until } from '../support/system.ts';
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
  'the service manager hears of the start, the state, reloads, the watchdog and the stop',
  { skip: missing('systemd-notify') || missing('python3') },
  async (t) => {
    const dataDir = temporaryFolder(t);
    const { socket, lines, told } = await notifySocket(t, dataDir);
    const system = await startPair(t, { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '600000' }, dataDir);
    await told(/^READY=1\|STATUS=serving: 2 of 2 workers, replication streaming/);
    await told(/^WATCHDOG=1$/);
    const from = lines.length;
    t.equal((await command(['reload'], { DATA_DIR: dataDir })).code, 0);
    await told(/^RELOADING=1\|MONOTONIC_USEC=\d+$/, from);
    await told(/^READY=1$/, from);
    await system.stop();
    await told(/^STOPPING=1\|STATUS=stopping: SIGTERM\|EXTEND_TIMEOUT_USEC=25000000$/);
    t.notMatch(lines.at(-1), /WATCHDOG/, 'nothing is told after the stop');
  },
);

t.test(
  'a restart on a socket that the service manager holds refuses no connection',
  { skip: missing('python3') },
  async (t) => {
    const dataDir = temporaryFolder(t);
    endWithTest(t, dataDir);
    const env = { DATA_DIR: dataDir, WORKERS: '2', LOG_FORMAT: 'json', LOG_LEVEL: 'warn' };
    const { child, lines } = run(t, 'python3', ['-c', HOLDER, process.execPath, BIN, 'start'], env);
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
