import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { Progress } from '../../src/cli/progress.ts';
import { temporaryFolder } from '../support/system.ts';
import { commandNames, tellsItsUse } from './operate-fixture.ts';

t.test('a command tells what it does, and a wrong option is an error', async (t) => {
  const env = { DATA_DIR: temporaryFolder(t) };
  const names = await commandNames(env);
  // Of all of them it is asked in the long tier.
  for (const name of ['status', 'keys']) {
    t.ok(names.includes(name));
    await tellsItsUse(t, name, env);
  }
});

t.test('progress is one line on a terminal', async (t) => {
  const written: string[] = [];
  const progress = new Progress('stopping', { isTTY: true, write: (text: string) => written.push(text) > 0 });
  progress.step('still stopping');
  progress.end();
  t.same(written, ['\r\u001b[Kstopping … 0 s', '\r\u001b[Kstill stopping … 0 s', '\r\u001b[K']);
});

t.test('an old Node.js hands over to the one that npm ci has installed', async (t) => {
  const folder = temporaryFolder(t);
  const project = join(folder, 'node_modules', 'ninelives');
  mkdirSync(join(project, 'src', 'platform'), { recursive: true });
  mkdirSync(join(project, 'node_modules', '.bin'), { recursive: true });
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  for (const file of ['bin.js', 'launch.js', 'platform/own-node.js']) {
    copyFileSync(new URL(`../../src/${file}`, import.meta.url), join(project, 'src', file));
  }
  // Tells the real one that it is old, as nothing else here can be.
  const old = `data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})`;
  const run = (env: NodeJS.ProcessEnv = {}) =>
    promisify(execFile)(
      process.execPath,
      ['--import', old, join(project, 'src', 'bin.js'), 'status', '--json'],
      {
        env: { PATH: process.env.PATH, ...env },
      },
    );
  await t.rejects(run(), {
    code: 78,
    stderr: /needs Node.js 22.18 or later, and this is 20.1.0. Run npm ci/,
  });
  const own = join(project, 'node_modules', '.bin', 'node');
  writeFileSync(join(folder, 'node'), '#!/bin/sh\nshift\necho "own node: $*"\nexit 3\n', { mode: 0o755 });
  symlinkSync(join(folder, 'node'), own);
  await t.rejects(run(), { code: 3, stdout: 'own node: status --json\n' });
  await t.rejects(run({ NINELIVES_WRAPPER_PID: '1' }), { code: 78 }, 'and not for ever');
  rmSync(own);
  const hoisted = join(folder, 'node_modules', `node-linux-${process.arch}`);
  mkdirSync(join(hoisted, 'bin'), { recursive: true });
  writeFileSync(join(hoisted, 'package.json'), '{}');
  writeFileSync(join(hoisted, 'bin', 'node'), '#!/bin/sh\nexit 4\n', { mode: 0o755 });
  await t.rejects(run(), { code: 4 }, 'also one that npm has put further up');
});
