import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Deployment } from '../../loadtest/chaos/deployment.ts';
import { noteOf, request } from '../support/http.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { MODULE, makeProject, runIn } from './launch-fixture.ts';

function run(project: Deployment, ...words: string[]) {
  return runIn(project, {}, ...words);
}

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
  project.prepend(MODULE, 'throw null;');
  for (const name of ['restore', 'doctor']) {
    const { code, stdout, stderr } = runIn(project, {}, name, '--help');
    t.strictSame([code, stderr], [0, ''], `${name} --help needs nothing`);
    t.ok(stdout.startsWith(`Usage: ninelives ${name} `));
  }
  t.end();
});

t.test('a package.json of an editor of Windows is one', (t) => {
  const project = makeProject(t);
  project.write('package.json', `\uFEFF${project.read('package.json').replaceAll('\n', '\r\n')}`);
  const { code, stderr } = run(project, 'doctor');
  t.strictSame([code, stderr], [0, '']);
  t.end();
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
