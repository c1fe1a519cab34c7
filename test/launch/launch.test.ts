import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Deployment } from '../../loadtest/chaos/deployment.ts';
import { MODULE, makeProject, runIn } from './launch-fixture.ts';

function run(project: Deployment, ...words: string[]) {
  return runIn(project, {}, ...words);
}

t.test('an app whose code throws while it is loaded is told, and help goes on without it', (t) => {
  const project = makeProject(t);
  const undo = project.read(MODULE);
  project.prepend(MODULE, 'throw null;');
  const told = `ninelives: the code in ${project.root} cannot be loaded (it throws null; mend it, or run this in the folder of a release that starts)`;
  t.strictSame(run(project, 'doctor', '--json'), { code: 70, stdout: '', stderr: `${told}\n` });
  const help = run(project, 'start', '--help');
  t.strictSame([help.code, help.stderr], [0, `${told}; going on without the app\n`]);
  project.write(MODULE, undo);
  project.prepend(MODULE, "console.log('hello'); setInterval(() => {}, 1000);");
  const { code, stdout, stderr } = run(project, 'doctor', '--json');
  t.equal(code, 0, stderr);
  t.equal(stderr, 'hello\n');
  t.equal(JSON.parse(stdout).ok, true, 'what the app prints is no part of the answer');
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
  const start = run(project, 'start');
  t.equal(start.code, 70);
  t.match(
    start.stderr,
    `ninelives: packages are missing: run npm ci in ${project.root} (Cannot find package `,
  );
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
