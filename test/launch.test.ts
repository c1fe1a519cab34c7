import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Deployment } from '../loadtest/chaos/deployment.ts';
import { cleanEnv } from '../src/testing/running-system.ts';
import { DEPLOYED_APP } from './small-app/arguments.ts';
import { bare } from './support/bare.ts';
import { noteOf, request } from './support/http.ts';
import { start, temporaryFolder } from './support/system.ts';

const MODULE = DEPLOYED_APP?.module ?? '';

function makeProject(t: Test): Deployment {
  return new Deployment(join(temporaryFolder(t), 'app'), DEPLOYED_APP);
}

function run(project: Deployment, ...words: string[]) {
  return runIn(project, {}, ...words);
}

function runIn({ root }: Deployment, env: NodeJS.ProcessEnv, ...words: string[]) {
  const options = {
    cwd: root,
    env: { ...cleanEnv(), PORT: '0', START_TIMEOUT_MS: '3000', ...env },
    encoding: 'utf8',
  } as const;
  const { status, stdout, stderr } = spawnSync(
    ...bare(process.execPath, [join(root, 'src/bin.js'), ...words]),
    options,
  );
  return { code: status, stdout, stderr };
}

t.test('the app, whose code may do anything while it is loaded, keeps no command from its end', (t) => {
  const project = makeProject(t);
  const words = ['doctor', '--json'];
  // Only what hangs takes the whole of it; what does not may need more on a busy machine.
  const hangs = { START_TIMEOUT_MS: '1000' };
  for (const [statement, reason, env = {}] of [
    ['while (true) {}', 'it did not answer within 1000 ms', hangs],
    ['await new Promise(() => {});', 'a module awaits at its top level what never comes'],
    ['process.exit(0);', 'it ended before it told what it is; does its code call process.exit?'],
    ['throw null;', 'it throws null'],
    ["process.stdout.write('x'.repeat(10_000_000));", 'it prints more than 1048576 bytes meanwhile'],
  ] as const) {
    const undo = project.read(MODULE);
    project.prepend(MODULE, statement);
    const { code, stdout, stderr } = runIn(project, env, ...words);
    t.equal(code, 70, statement);
    t.equal(stdout, '');
    const told = `ninelives: the code in ${project.root} cannot be loaded (${reason}; mend it, or run this in the folder of a release that starts)`;
    t.equal(stderr, `${told}\n`);
    const help = runIn(project, env, 'start', '--help');
    t.equal(help.code, 0);
    t.match(help.stdout, /^Usage: ninelives start /);
    t.equal(help.stderr, `${told}; going on without the app\n`);
    project.write(MODULE, undo);
  }
  const undo = project.read(MODULE);
  project.prepend(MODULE, 'throw null;');
  for (const name of ['restore', 'doctor']) {
    const { code, stdout, stderr } = run(project, name, '--help');
    t.strictSame([code, stderr], [0, ''], `${name} --help needs nothing`);
    t.ok(stdout.startsWith(`Usage: ninelives ${name} `));
  }
  project.write(MODULE, undo);
  project.prepend(MODULE, "console.log('hello'); setInterval(() => {}, 1000);");
  const { code, stdout, stderr } = run(project, 'doctor', '--json');
  t.equal(code, 0, stderr);
  t.equal(stderr, 'hello\n');
  t.equal(JSON.parse(stdout).ok, true, 'what the app prints is no part of the answer');
  t.end();
});

t.test('where the app cannot be loaded, the replica tells which databases can be restored', async (t) => {
  const project = makeProject(t);
  const dataDir = temporaryFolder(t);
  const env = { REPLICA_URL: `file://${join(temporaryFolder(t), 'replica')}` };
  const system = await start(t, env, dataDir, { root: project.root });
  const { status } = await request(`${system.url}/note`, { method: 'POST', body: noteOf('kept') });
  t.equal(status, 201);
  await system.stop();
  project.prepend(MODULE, 'throw new Error("broken");');
  const options = { ...env, DATA_DIR: dataDir };
  const verify = runIn(project, options, 'verify');
  t.equal(verify.code, 78, 'only the app tells which databases the replica has to have');
  rmSync(dataDir, { recursive: true });
  const told = / cannot be loaded \(.*Error: broken.*\); going on without the app\n/;

  const list = runIn(project, options, 'restore', '--list', '--json');
  t.equal(list.code, 0, list.stderr);
  t.match(list.stderr, told);
  const listed = JSON.parse(list.stdout) as { database: string }[];
  t.strictSame(
    listed.map(({ database }) => database),
    ['main', 'media'],
  );

  const restored = runIn(project, options, 'restore', '--in-place');
  t.equal(restored.code, 0, restored.stderr);
  t.match(restored.stderr, told);
  project.restore(MODULE);
  const again = await start(t, env, dataDir, { root: project.root });
  t.equal((await request(`${again.url}/note/kept`)).status, 200);

  const none = runIn(project, { ...options, REPLICA_URL: `file://${dataDir}/none` }, 'restore', '--list');
  t.equal(none.code, 66);
});

t.test('an empty path, as of a variable that is not set, is no path', (t) => {
  const project = makeProject(t);
  const start = run(project, 'start', '--release', '');
  t.equal(start.code, 78);
  t.equal(start.stderr, 'ninelives: --release wants the folder of a release, and an empty one was given\n');
  const reload = run(project, 'reload', '--release', '');
  t.equal(reload.code, 64);
  t.equal(reload.stderr, 'ninelives: Expected a path, and an empty one was given\n');
  t.end();
});

t.test('without its packages a command says what to do, and does not make their folder', (t) => {
  const project = makeProject(t);
  rmSync(join(project.root, 'node_modules'));
  const { code, stderr } = run(project, 'status');
  t.equal(code, 70);
  t.match(
    stderr,
    /^ninelives: the code in \S+ cannot be loaded \(Cannot find package .*: run npm ci there\)\n$/,
  );
  t.notOk(existsSync(join(project.root, 'node_modules')), 'what was moved away can be moved back');
  t.end();
});

t.test('a package.json with the marks of a merge is refused in a sentence', (t) => {
  const project = makeProject(t);
  project.write('package.json', `<<<<<<< HEAD\n${project.read('package.json')}`);
  const { code, stderr } = run(project, 'start');
  t.equal(code, 78);
  t.match(stderr, /^ninelives: \S+ is no project: its package\.json cannot be read \(.*\)\n$/);
  t.end();
});
