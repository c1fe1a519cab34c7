import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
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
