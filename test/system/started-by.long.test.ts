import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { request } from '../support/http.ts';
import { missing } from '../support/tools.ts';
import { assertStopped, ROOT, startBy, stopsBy } from './started-by-fixture.ts';

const BIN = join(ROOT, 'src', 'bin.js');

/** Holds a listening socket and a name for it, as systemd does, and becomes the command. */
const SERVICE_MANAGER = `
import os, socket, sys
s = socket.socket()
s.bind(('127.0.0.1', 0))
s.listen(16)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
print('port', s.getsockname()[1], flush=True)
pid = str(os.getpid())
os.environ.update(LISTEN_FDS='1', LISTEN_PID=pid, WATCHDOG_PID=pid, WATCHDOG_USEC='600000000')
os.execvp(sys.argv[1], sys.argv[1:])
`;

/** Every old Node.js that is here; and the one that runs, told that it is old. */
const OLD_NODES: readonly (readonly string[])[] = [
  [
    process.execPath,
    '--import',
    `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})`,
  ],
  ...[...new Set((process.env.PATH ?? '').split(':').map((folder) => realPath(join(folder, 'node'))))]
    .filter(isOld)
    .map((path) => [path]),
];

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function isOld(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return /^v(1[4-9]|2[01])\./.test(execFileSync(path, ['--version'], { encoding: 'utf8' }));
  } catch {
    return false;
  }
}

for (const old of OLD_NODES) {
  const name = old.length > 1 ? 'an old Node.js' : old[0];

  t.test(`${name} passes on the signal, and the exit code back`, async (t) => {
    const started = await startBy(t, [...old, BIN, 'start', ...APP_ARGUMENTS]);
    t.not(started.primaryPid, started.child.pid);
    started.child.kill('SIGTERM');
    t.same(await once(started.child, 'exit'), [0, null]);
    await assertStopped(t, started, 'SIGTERM');
  });

  t.test(`the system stops gracefully when ${name} is killed that started it`, async (t) => {
    const started = await startBy(t, [...old, BIN, 'start', ...APP_ARGUMENTS]);
    started.child.kill('SIGKILL');
    await assertStopped(t, started, 'the process that started this one was killed');
  });

  t.test(
    `${name} passes on the socket and what else the service manager told`,
    {
      skip: missing('python3'),
    },
    async (t) => {
      const started = await startBy(t, [
        'python3',
        '-c',
        SERVICE_MANAGER,
        ...old,
        BIN,
        'start',
        ...APP_ARGUMENTS,
      ]);
      const port = started.lines[0]?.split(' ')[1];
      t.equal((await request(`http://127.0.0.1:${port}/health`)).status, 200);
      const environment = readFileSync(`/proc/${started.primaryPid}/environ`, 'utf8').split('\0');
      for (const variable of ['LISTEN_PID', 'WATCHDOG_PID']) {
        t.ok(environment.includes(`${variable}=${started.primaryPid}`), variable);
      }
      t.ok(environment.includes('WATCHDOG_USEC=600000000'));
    },
  );
}

t.test('SIGINT to npm start stops the system gracefully', { skip: missing('npm') }, async (t) => {
  await stopsBy(t, 'SIGINT');
});
