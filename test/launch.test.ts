import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Deployment } from '../loadtest/chaos/deployment.ts';
import { cleanEnv } from '../src/testing/running-system.ts';
import { DEPLOYED_APP } from './small-app/arguments.ts';
import { temporaryFolder } from './support/system.ts';

const MODULE = DEPLOYED_APP?.module ?? '';

function makeProject(t: Test): Deployment {
  return new Deployment(join(temporaryFolder(t), 'app'), DEPLOYED_APP);
}

function run({ root }: Deployment, ...words: string[]) {
  const options = { cwd: root, env: cleanEnv(), encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'src/bin.js'), ...words],
    options,
  );
  return { code: status, stdout, stderr };
}

t.test('a command whose code ends the process while it is loaded has not done anything, and says so', (t) => {
  for (const statement of ['process.exit(0);', 'await new Promise(() => {});']) {
    const project = makeProject(t);
    project.prepend(MODULE, statement);
    const ended = run(project, 'restore', '--list');
    t.equal(ended.code, 70, statement);
    t.equal(
      ended.stderr.trim().split('\n').at(-1),
      `ninelives: nothing was done: the code in ${project.root} ended this process while it was loaded`,
    );
  }
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
