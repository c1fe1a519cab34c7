import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { missing } from '../support/tools.ts';
import { assertStopped, isAlive, ROOT, startBy } from './started-by-fixture.ts';

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
