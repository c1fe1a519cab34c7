import { readdirSync } from 'node:fs';
import t from 'tap';
import { command } from '../cli/command.ts';
import { temporaryFolder } from '../support/system.ts';

t.test('no command makes a system where there is none', async (t) => {
  const DATA_DIR = temporaryFolder(t);
  const { code, stderr } = await command(['verify'], { DATA_DIR });
  t.equal(code, 75);
  t.ok(stderr.startsWith(`ninelives: There is no database in ${DATA_DIR}.`), stderr);
  t.same(readdirSync(DATA_DIR), []);
});
