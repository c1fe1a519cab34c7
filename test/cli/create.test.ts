import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { temporaryFolder } from '../support/system.ts';
import { command } from './command.ts';

t.test('what cannot become a project is refused with what to do, and stays as it is', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'full'));
  writeFileSync(join(folder, 'full', 'file'), '');
  writeFileSync(join(folder, 'file'), '');
  symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
  const before = readdirSync(folder, { recursive: true });
  for (const [name, code, says] of [
    ['full', 73, `${folder}/full is not empty: name another folder`],
    ['file', 73, `${folder}/file is there, and is no folder: name another one`],
    ['link', 73, `${folder}/link is there, and is no folder: name another one`],
    ['my app', 64, 'my app is no name of a package: use letters, digits and -'],
    ['_app', 64, '_app is no name of a package: use letters, digits and -'],
    ['ninelives', 64, 'ninelives is the name of another package: name another folder'],
    ['Zod', 64, 'zod is the name of another package: name another folder'],
    ['s3rver', 64, 's3rver is the name of another package: name another folder'],
    ['node_modules', 64, 'node_modules is the name of another package: name another folder'],
  ] as const) {
    const told = await command(['create', name], {}, folder);
    t.strictSame([told.code, told.stderr], [code, `ninelives: ${says}\n`], name);
  }
  t.strictSame(readdirSync(folder, { recursive: true }), before);
});

t.test('what the package exports is there in the sources, and emitted under the same name', async (t) => {
  const root = new URL('../../', import.meta.url);
  const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  for (const [name, target] of Object.entries<Record<string, string> | string>(exports)) {
    if (typeof target === 'string') continue;
    const { 'ninelives-sources': source = '', default: emitted } = target;
    t.ok(existsSync(new URL(source, root)), name);
    t.equal(emitted, source.replace(/^\.\/src\//, './.build/').replace(/\.ts$/, '.js'), name);
  }
});
