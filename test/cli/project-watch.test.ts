import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { watchProject } from '../../src/cli/project-watch.ts';
import { within } from '../../src/testing/wait.ts';

t.test(
  'each save of a file is seen, also by a rename, in a folder that is new, and in one that was there before, and of a package of one’s own',
  async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'nl-'));
    t.teardown(() => rmSync(root, { recursive: true, force: true }));
    const dataDir = join(root, 'var', 'data');
    for (const folder of ['notes/deep', 'var/data', 'node_modules'])
      mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, 'notes', 'deep', 'routes.ts'), '0');
    const beside = mkdtempSync(join(tmpdir(), 'nl-'));
    t.teardown(() => rmSync(beside, { recursive: true, force: true }));
    mkdirSync(join(beside, 'lib'));
    symlinkSync(beside, join(root, 'node_modules', 'own'));
    writeFileSync(join(root, 'package.json'), JSON.stringify({ dependencies: { own: `file:${beside}` } }));
    let changed = Promise.withResolvers<void>();
    let count = 0;
    t.teardown(
      await watchProject(root, dataDir, async () => {
        count += 1;
        changed.resolve();
      }),
    );
    const seen = async (what: string, change: () => void) => {
      changed = Promise.withResolvers();
      change();
      await within(changed.promise, what);
    };
    const save = (name: string, text: string) => {
      writeFileSync(join(root, `${name}~`), text);
      renameSync(join(root, `${name}~`), join(root, name));
    };
    await seen('a rename', () => save('notes/deep/routes.ts', '1'));
    await seen('another', () => save('notes/deep/routes.ts', '2'));
    await seen('a write into it', () => writeFileSync(join(root, 'notes/deep/routes.ts'), '3'));
    await seen('a new folder', () => mkdirSync(join(root, 'new')));
    await seen('a file in it', () => writeFileSync(join(root, 'new', 'a.ts'), '1'));
    await seen('the folder replaced', () => {
      rmSync(join(root, 'new'), { recursive: true });
      mkdirSync(join(root, 'new'));
    });
    await seen('a file in that one', () => writeFileSync(join(root, 'new', 'a.ts'), '1'));

    await seen('a file of a package', () => writeFileSync(join(beside, 'lib', 'b.ts'), '1'));
    mkdirSync(join(beside, 'node_modules'));

    for (const name of ['var/data/main.db', 'node_modules/x', '.git']) save(name, 'x');
    writeFileSync(join(root, 'dev.log'), 'x');
    await seen('what counts', () => save('app.ts', '1'));
    t.equal(count, 9, 'and each once');
  },
);
