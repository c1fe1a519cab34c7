import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { readEvents } from '../../src/supervisor/events.ts';
import { request } from '../support/http.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';
import { missing } from '../support/tools.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
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

interface Started {
  readonly dataDir: string;
  readonly child: ChildProcess;
  readonly lines: readonly string[];
  readonly url: string;
  readonly primaryPid: number;
}

/** Starts a real system by a command that is not the system itself, and waits until it serves. */
async function startBy(t: Test, command: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Started> {
  const dataDir = temporaryFolder(t);
  const { PATH, HOME } = process.env;
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { PATH, HOME, DATA_DIR: dataDir, PORT: '0', WORKERS: '1', LOG_FORMAT: 'json', ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (isAlive(primaryPid)) process.kill(primaryPid, 'SIGKILL');
    await until(() => !isAlive(primaryPid) && processesOf(dataDir).length === 0, 'every process is gone');
  });
  let primaryPid = 0;
  await until(() => lines.some((line) => line.includes('"msg":"ready: ')), 'it is ready');
  const ready = JSON.parse(lines.find((line) => line.includes('"msg":"ready: ')) ?? '');
  primaryPid = ready.pid;
  return { dataDir, child, lines, url: ready.url, primaryPid };
}

function isAlive(pid: number): boolean {
  try {
    if (pid > 0) process.kill(pid, 0);
    return pid > 0;
  } catch {
    return false;
  }
}

async function assertStopped(t: Test, { dataDir, primaryPid, lines }: Started, cause: string): Promise<void> {
  await until(() => !isAlive(primaryPid), 'the primary has ended');
  t.same(processesOf(dataDir), []);
  t.equal(readEvents(dataDir).at(-1)?.kind, 'stop');
  t.equal(readEvents(dataDir).at(-1)?.cause, cause);
  await until(() => lines.some((line) => line.includes('"msg":"stopped"')), 'it said so');
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} to npm start stops the system gracefully`, { skip: missing('npm') }, async (t) => {
    const started = await startBy(t, ['npm', 'start']);
    started.child.kill(signal);
    const [code] = await once(started.child, 'exit');
    t.equal(code, 0);
    t.notOk(isAlive(started.primaryPid), 'npm has waited for it');
    await assertStopped(t, started, signal);
  });
}

t.test('no script of npm leaves a shell between npm and the program', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  for (const [name, script] of Object.entries<string>(scripts)) {
    if (/^(exec )?node /.test(script)) t.match(script, /^exec node /, name);
  }
  t.equal(readFileSync(join(ROOT, 'Procfile'), 'utf8'), 'web: exec npm start\n');
});

for (const old of OLD_NODES) {
  const name = old.length > 1 ? 'an old Node.js' : old[0];

  t.test(`${name} passes on the signal, and the exit code back`, async (t) => {
    const started = await startBy(t, [...old, BIN, 'start']);
    t.not(started.primaryPid, started.child.pid);
    started.child.kill('SIGTERM');
    t.same(await once(started.child, 'exit'), [0, null]);
    await assertStopped(t, started, 'SIGTERM');
  });

  t.test(`the system stops gracefully when ${name} is killed that started it`, async (t) => {
    const started = await startBy(t, [...old, BIN, 'start']);
    started.child.kill('SIGKILL');
    await assertStopped(t, started, 'the process that started this one was killed');
  });

  t.test(
    `${name} passes on the socket and what else the service manager told`,
    {
      skip: missing('python3'),
    },
    async (t) => {
      const started = await startBy(t, ['python3', '-c', SERVICE_MANAGER, ...old, BIN, 'start']);
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
