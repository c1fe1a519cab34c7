import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../../src/testing/wait.ts';
import { createProject, makeFolder, pack, runPlain } from './project.ts';

const folder = makeFolder(t);
const tarball = pack(folder);
const project = createProject(t, folder, tarball);
const place = project.folder;

t.test(
  'the package holds what was emitted, the configuration, the program and the pages of README.md alone',
  async (t) => {
    const paths = execFileSync('tar', ['-tf', tarball], { encoding: 'utf8' }).trim().split('\n');
    const tops = new Set(paths.map((path) => path.split('/').slice(0, 2).join('/')));
    t.strictSame(
      [...tops].sort(),
      ['.build', 'CHANGELOG.md', 'LICENSE', 'README.md', 'config', 'package.json', 'src'].map(
        (name) => `package/${name}`,
      ),
    );
    t.strictSame(
      paths
        .filter((path) => path.startsWith('package/src/') || path.startsWith('package/.build/app/'))
        .sort(),
      [
        'package/src/app/README.md',
        'package/src/bin.js',
        'package/src/replication/FAILOVER.md',
        'package/src/replication/README.md',
        'package/src/supervisor/README.md',
        'package/src/writer/README.md',
      ],
    );
  },
);

// All of its tests run in the long tier.
t.test('create makes a project that names the tarball, and whose types and test pass', async (t) => {
  t.strictSame(readdirSync(place).sort(), [
    '.env.example',
    '.gitignore',
    '.npmrc',
    'README.md',
    'app.ts',
    'chaos',
    'node_modules',
    'notes',
    'package-lock.json',
    'package.json',
    'test',
    'tsconfig.json',
  ]);
  const { name, dependencies, devDependencies } = JSON.parse(
    readFileSync(join(place, 'package.json'), 'utf8'),
  );
  t.equal(name, 'links');
  t.strictSame(Object.keys(dependencies), ['ninelives', 'zod']);
  t.equal(dependencies.ninelives, `file:../${tarball.split('/').at(-1)}`);
  t.strictSame(Object.keys(devDependencies).sort(), ['s3rver', 'typescript']);
  runPlain('npm', ['run', '--silent', 'check'], place);
  const told = runPlain(process.execPath, ['--test', '--test-reporter=tap', 'test/notes.test.ts'], place);
  t.equal(/^# pass (\d+)$/m.exec(told)?.[1], '1', told);
  const again = await project.run(['create', 'links'], folder);
  t.equal(again.code, 73, again.stderr);
});

t.test(
  'its app goes on from the copy of its release while the project is broken, and is reloaded',
  async (t) => {
    const system = await project.start();
    const add = async (text: string) => {
      const response = await fetch(`${system.url}/notes`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ text }),
      });
      return { status: response.status, note: (await response.json()) as unknown };
    };
    const get = async (id: number) => {
      const response = await fetch(`${system.url}/notes/${id}`);
      return { status: response.status, note: (await response.json()) as { readonly code?: string } };
    };
    t.strictSame(await add('one'), { status: 201, note: { id: 1, text: 'one' } });
    const { status, note } = await get(7);
    t.strictSame([status, note.code], [404, 'not_found'], 'the app has the contract of the chassis');

    project.replace(
      'notes/routes.ts',
      'sendJson(ctx, 200, note)',
      'sendJson(ctx, 200, { ...note, release: 2 })',
    );
    const worker = join(place, 'node_modules/ninelives/.build/worker/main.js');
    renameSync(worker, `${worker}.gone`);
    for (const name of ['worker-1', 'writer', 'cleaner', 'litestream']) await system.killChild(name);
    t.strictSame(await add('two'), { status: 201, note: { id: 2, text: 'two' } });
    const refused = await project.run(['reload']);
    t.equal(refused.code, 70, refused.stderr);
    t.ok(refused.stderr.includes('Nothing was exchanged'), refused.stderr);
    t.strictSame(await get(2), { status: 200, note: { id: 2, text: 'two' } });

    renameSync(`${worker}.gone`, worker);
    const reloaded = await project.run(['reload'], join(place, 'notes'));
    t.equal(reloaded.code, 0, reloaded.stderr);
    t.strictSame(await get(2), { status: 200, note: { id: 2, text: 'two', release: 2 } });
    t.equal((await system.stop()).code, 0);
  },
);

t.test('npm run dev logs text, and reloads when a file changes', async (t) => {
  const child = spawn('env', ['--unset=NODE_OPTIONS', 'npm', 'run', 'dev'], {
    cwd: place,
    env: { ...process.env, PORT: '0', WORKERS: '1', SPARE_WORKERS: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  await until(() => / ready: http/.test(said), 'it is ready');
  t.notOk(said.includes('{"level"'), 'its log is text');
  const [, url] = / ready: (http:\S+)/.exec(said) ?? [];
  project.replace('notes/routes.ts', 'release: 2', 'release: 3');
  await until(() => said.includes('ninelives: reloaded: '), 'it is reloaded');
  t.strictSame(await (await fetch(`${url}/notes/1`)).json(), { id: 1, text: 'one', release: 3 });
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
});

t.test('the command finds the app upwards, or by --app, and says when there is none', async (t) => {
  const help = await project.run(['--help'], '/');
  t.equal(help.code, 0, help.stderr);
  const elsewhere = makeFolder(t);
  const units = join(elsewhere, 'units');
  const app = join(place, 'app.ts');
  const written = await project.run(
    ['install-service', '--user', 'nobody', '--dir', units, '--app', app],
    elsewhere,
  );
  t.equal(written.code, 0, written.stderr);
  const unit = readFileSync(join(units, 'ninelives.service'), 'utf8');
  const program = join(place, 'node_modules/ninelives/src/bin.js');
  t.equal(
    /^ExecStart=(.*)$/m.exec(unit)?.[1],
    `${join(place, 'node_modules/.bin/node')} ${program} start --app ${app}`,
  );
  t.equal(/^WorkingDirectory=(.*)$/m.exec(unit)?.[1], place);
  const bare = join(elsewhere, 'node_modules');
  mkdirSync(bare);
  execFileSync('cp', ['-r', join(place, 'node_modules/ninelives'), bare]);
  const none = spawnSync(process.execPath, [join(bare, 'ninelives/src/bin.js'), 'status'], {
    cwd: elsewhere,
    env: { PATH: process.env.PATH },
    encoding: 'utf8',
  });
  t.equal(none.status, 78);
  t.match(none.stderr, /^ninelives: There is no app here: .* name the app: --app app\.ts\n$/);
});
