import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { cleanEnv, processesOf } from '../../src/testing/running-system.ts';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { bare } from '../support/bare.ts';
import { noteOf, request } from '../support/http.ts';
import { startS3 } from '../support/s3.ts';
import { temporaryFolder, until } from '../support/system.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

/** Namespaces of its own need root, or a kernel that lets users have them. */
function obstacle(): string | false {
  const { status } = spawnSync('unshare', ['--pid', '--uts', '--fork', '--mount-proc', 'true'], {
    stdio: 'ignore',
  });
  return status === 0 ? false : 'no namespaces of its own are to be had here';
}

/** What a container engine makes: its own process ids, from 1 on, and its own host name; the folders are the host's. */
async function startContainer(
  t: Test,
  name: string,
  env: NodeJS.ProcessEnv,
): Promise<{ url: string; lines: string[]; kill: () => Promise<void> }> {
  // An image has another machine id, or none.
  const script = 'hostname "$0" && mount --bind /dev/null /etc/machine-id; exec "$@"';
  const words = ['--pid', '--uts', '--fork', '--mount-proc', '--kill-child', 'sh', '-c', script, name];
  // As an init does, the shell's last command is process 1 and has a child: the system.
  const system = [
    'sh',
    '-c',
    '"$@" & wait',
    'init',
    process.execPath,
    `${ROOT}src/bin.js`,
    'start',
    '--release',
    ROOT,
    ...APP_ARGUMENTS,
  ];
  const child = spawn(...bare('unshare', [...words, ...system]), {
    env: { ...cleanEnv(), PORT: '0', WORKERS: '1', LOG_FORMAT: 'json', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
    await until(() => processesOf(String(env.DATA_DIR)).length === 0, 'every process is gone');
  };
  t.teardown(kill);
  const urlOf = () => lines.map((line) => /"url":"([^"]+)".*"msg":"ready: /.exec(line)?.[1]).find(Boolean);
  await until(
    () => {
      if (child.exitCode !== null)
        throw new Error(`it ended with ${child.exitCode}: ${lines.slice(-3).join('\n')}`);
      return urlOf() !== undefined;
    },
    'it is ready',
    60_000,
  );
  return { url: urlOf()!, lines, kill };
}

t.test(
  'killed and started as another container with the same volume and replica, it goes on without --take-over',
  { skip: obstacle() },
  async (t) => {
    const store = await startS3(t);
    const dataDir = temporaryFolder(t);
    const env = { DATA_DIR: dataDir, ...s3Environment(store, 'container') };
    const first = await startContainer(t, 'container-a', env);
    const headers = { Durability: 'replicated' };
    const put = (url: string, id: string) =>
      request(`${url}/note`, { method: 'POST', body: noteOf(id), headers });
    t.equal((await put(first.url, 'one')).status, 201);
    await first.kill();
    const second = await startContainer(t, 'container-b', env);
    t.equal((await request(`${second.url}/note/one`)).status, 200);
    t.equal((await put(second.url, 'two')).status, 201, 'and the replica is its own');
    const record = join(store.directory, store.bucket, 'container', 'lease.json._S3rver_object');
    t.equal(JSON.parse(readFileSync(record, 'utf8')).name, 'container-b', 'which has another host name');
  },
);

t.test('the image is pinned, has an init, a user that is not root, and a check of its health', async (t) => {
  const text = readFileSync(new URL('../../config/Containerfile', import.meta.url), 'utf8');
  t.match(text, /^ARG BASE=node:24-\S+@sha256:[0-9a-f]{64}$/m);
  t.match(text, /^ENTRYPOINT \["tini", "--", /m);
  t.match(text, /^USER 1000:1000$/m);
  t.match(text, /^HEALTHCHECK /m);
  const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
    names.split(' '),
  );
  t.strictSame(
    copied.filter((name) => !existsSync(`${ROOT}${name}`)),
    [],
  );
  // Of what the processes read, beside the packages.
  for (const name of ['src', 'config', 'package.json']) t.ok(copied.includes(name), name);
});
