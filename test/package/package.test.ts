import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { makeFolder, Project, pack, runPlain } from './project.ts';

const COMPILER = new URL('../../node_modules/.bin/tsc', import.meta.url).pathname;
const OPTIONS = {
  target: 'es2024',
  module: 'nodenext',
  types: ['node'],
  noEmit: true,
  strict: true,
  erasableSyntaxOnly: true,
  verbatimModuleSyntax: true,
  exactOptionalPropertyTypes: true,
};

const folder = makeFolder(t);
const tarball = pack(folder);
const place = join(folder, 'links');
mkdirSync(place);
const project = new Project(t, place);
project.install(tarball);

t.test('the package holds what was emitted, the configuration and the program alone', async (t) => {
  const paths = execFileSync('tar', ['-tf', tarball], { encoding: 'utf8' }).trim().split('\n');
  const tops = new Set(paths.map((path) => path.split('/').slice(0, 2).join('/')));
  t.strictSame([...tops].sort(), [
    'package/.build',
    'package/CHANGELOG.md',
    'package/LICENSE',
    'package/README.md',
    'package/config',
    'package/package.json',
    'package/src',
  ]);
  t.strictSame(
    paths.filter(
      (path) => path.startsWith('package/src/') || /package\/\.build\/(app|packaging)\//.test(path),
    ),
    ['package/src/bin.js'],
  );
});

t.test('its types are whole without any package of the developer', async (t) => {
  project.write('tsconfig.json', JSON.stringify({ compilerOptions: OPTIONS, include: ['server'] }));
  t.equal(runPlain(COMPILER, ['-p', '.'], place), '');
});

t.test(
  'an app of a project that has it below node_modules is served, and goes on from its copy',
  async (t) => {
    const system = await project.start();
    const put = async (name: string) => {
      const response = await fetch(`${system.url}/links`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name, target: 'https://example.org/' }),
      });
      return { status: response.status, body: (await response.json()) as { readonly code?: string } };
    };
    const get = async (name: string) => (await fetch(`${system.url}/links/${name}`)).json();
    t.strictSame(await put('one'), { status: 201, body: { name: 'one' } });
    t.strictSame(await get('one'), { target: 'https://example.org/', release: 1 });
    const { status, body } = await put('one');
    t.strictSame([status, body.code], [409, 'link_taken'], 'the app has the contract of the chassis');

    // A deploy under way: the app's files and the chassis are broken, and its packages are there.
    project.write(
      'server/app.ts',
      readFileSync(join(place, 'server/app.ts'), 'utf8').replace('release: 1', 'release: 2'),
    );
    const worker = join(place, 'node_modules/ninelives/.build/worker');
    renameSync(worker, `${worker}.gone`);
    for (const name of ['worker-1', 'writer']) await system.killChild(name);
    t.strictSame(await put('two'), { status: 201, body: { name: 'two' } });
    t.strictSame(await get('two'), { target: 'https://example.org/', release: 1 });
    const refused = await project.run(['reload']);
    t.equal(refused.code, 78, refused.stderr);
    t.strictSame(await get('two'), { target: 'https://example.org/', release: 1 });

    renameSync(`${worker}.gone`, worker);
    const reloaded = await project.run(['reload'], join(place, 'server'));
    t.equal(reloaded.code, 0, reloaded.stderr);
    t.strictSame(await get('two'), { target: 'https://example.org/', release: 2 });
    t.equal((await put('three')).status, 413, "its settings are the app's");
    t.equal((await system.stop()).code, 0);
  },
);

t.test(
  'the command finds the app by package.json upwards, or by --app, and says when there is none',
  async (t) => {
    const help = await project.run(['--help'], '/');
    t.equal(help.code, 0, help.stderr);
    const elsewhere = mkdtempSync(join(tmpdir(), 'nl-'));
    t.teardown(() => rmSync(elsewhere, { recursive: true }));
    const units = join(elsewhere, 'units');
    const written = await project.run(
      ['install-service', '--user', 'nobody', '--dir', units, '--app', join(place, 'server/app.ts')],
      elsewhere,
    );
    t.equal(written.code, 0, written.stderr);
    const unit = readFileSync(join(units, 'ninelives.service'), 'utf8');
    const program = join(place, 'node_modules/ninelives/src/bin.js');
    t.equal(
      /^ExecStart=(.*)$/m.exec(unit)?.[1],
      `${join(place, 'node_modules/.bin/node')} ${program} start --app ${join(place, 'server/app.ts')}`,
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
  },
);
