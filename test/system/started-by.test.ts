import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { temporaryFolder } from '../support/system.ts';
import { missing } from '../support/tools.ts';
import { ROOT, stopsBy } from './started-by-fixture.ts';

t.test('SIGTERM to npm start stops the system gracefully', { skip: missing('npm') }, async (t) => {
  await stopsBy(t, 'SIGTERM');
});

t.test('no script of npm leaves a shell between npm and the program', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  for (const [name, script] of Object.entries<string>(scripts)) {
    if (/^(exec )?node /.test(script)) t.match(script, /^exec node /, name);
  }
  t.equal(readFileSync(join(ROOT, 'Procfile'), 'utf8'), 'web: exec npm start\n');
});

t.test('a start as a worker of node:cluster, as by pm2 -i, is refused with what to do', (t) => {
  const exec = JSON.stringify(join(ROOT, 'src', 'bin.js'));
  const program = `const cluster = require('node:cluster');
cluster.setupPrimary({ exec: ${exec}, args: ['start'], execArgv: [] });
cluster.fork().on('exit', (code) => process.exit(code));`;
  const { status, stderr } = spawnSync(process.execPath, ['--eval', program], {
    env: { PATH: process.env.PATH, DATA_DIR: temporaryFolder(t), PORT: '0' },
    encoding: 'utf8',
  });
  t.equal(status, 78);
  t.match(
    stderr,
    /^ninelives: this is a worker of node:cluster, as `pm2 start -i` makes them\. Start it as /,
  );
  t.end();
});
