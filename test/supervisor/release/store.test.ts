import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import {
  findRelease,
  packagesProblem,
  pruneReleases,
  releasesFolder,
  storeRelease,
  syncRelease,
  watchRelease,
} from '../../../src/supervisor/release/store.js';
import { makeProject } from './project.ts';

t.test('a copy is whole, cannot be written, leads to the packages, and is made once', async (t) => {
  const { root, dataDir, write } = makeProject(t);
  const store = releasesFolder(dataDir);
  const release = await storeRelease(root, store, [dataDir]);
  t.equal(release.folder, join(store, release.hash));
  t.equal(readFileSync(join(release.folder, 'src/deep/one.ts'), 'utf8'), 'export const one = 1;\n');
  t.equal(statSync(join(release.folder, 'src/deep/one.ts')).mode & 0o777, 0o400);
  t.equal(existsSync(join(release.folder, 'node_modules/koa/index.js')), true);
  await syncRelease(release.folder);
  const { ino } = statSync(release.folder);
  t.equal((await storeRelease(root, store, [dataDir])).hash, release.hash);
  t.equal(statSync(release.folder).ino, ino, 'the copy that is there is taken');
  write('src/bin.js', 'broken');
  t.equal(
    readFileSync(join(release.folder, 'src/bin.js'), 'utf8'),
    'export {};\n',
    'a deploy changes no copy',
  );
  t.strictSame(
    readdirSync(store).filter((name) => name.startsWith('.tmp')),
    [],
  );
});

t.test('a copy has every folder, also one that holds dot-files alone', async (t) => {
  const { root, dataDir, write } = makeProject(t);
  write('src/feature/migrations/.keep', '');
  const { folder } = await storeRelease(root, releasesFolder(dataDir), [dataDir]);
  t.strictSame(readdirSync(join(folder, 'src/feature/migrations')), []);
});

t.test('a link within the code leads to the copy, and one that leads out of it stays', async (t) => {
  const { root, folder: outside, dataDir, write } = makeProject(t);
  write('src/shared/two.ts', 'export const two = 2;\n');
  mkdirSync(join(outside, 'media'));
  const links = {
    'src/deep/shared': '../shared',
    'src/two.ts': join(root, 'src/shared/two.ts'),
    'src/media': join(outside, 'media'),
    'src/nothing': '../none',
    'src/settings': '../.env',
  };
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(root, path));
  write('.env', '');
  const { folder } = await storeRelease(root, releasesFolder(dataDir), [dataDir]);
  t.strictSame(
    Object.keys(links).map((path) => readlinkSync(join(folder, path))),
    ['../shared', 'shared/two.ts', join(outside, 'media'), join(root, 'none'), join(root, '.env')],
  );
});

t.test('a workspace that the app needs is copied as its own code, also through another one', async (t) => {
  const { folder: repository, dataDir, write } = makeProject(t);
  const app = join(repository, 'code/packages/api');
  const packageJson = (name: string, dependencies: object, more = {}) =>
    write(
      `packages/${name}/package.json`,
      JSON.stringify({ name, type: 'module', exports: './main.ts', dependencies, ...more }),
    );
  packageJson('api', { ninelives: '*', '@acme/lib': '*' }, { ninelives: { app: 'main.ts' } });
  packageJson('lib', { base: '*' });
  packageJson('base', {});
  packageJson('film', {});
  write('packages/api/main.ts', "export { text } from '@acme/lib';\nexport { parse } from '@other/far';\n");
  write('packages/lib/main.ts', "export { text } from 'base';\n");
  write('packages/base/main.ts', "export const text: string = 'before';\n");
  write('packages/api/node_modules/@other/near/index.js', '');
  write('node_modules/@other/far/index.js', 'exports.parse = 1;\n');
  write('node_modules/ninelives/.build/launch.js', '');
  const packages = join(repository, 'code/packages');
  for (const [path, target] of Object.entries({
    'node_modules/@acme/lib': 'lib',
    // As pnpm has it.
    'packages/lib/node_modules/base': 'base',
    'node_modules/film': 'film',
    'node_modules/api': 'api',
  })) {
    mkdirSync(dirname(join(repository, 'code', path)), { recursive: true });
    symlinkSync(join(packages, target), join(repository, 'code', path));
  }
  const store = releasesFolder(dataDir);
  const release = await storeRelease(app, store, [dataDir]);
  write('packages/base/main.ts', 'A merge that is half done');
  write('packages/lib/main.ts', 'The same');
  const { text, parse } = await import(join(release.folder, 'main.ts'));
  t.strictSame([text, parse], ['before', 1]);
  t.equal(
    readlinkSync(join(release.folder, 'node_modules/film')),
    join(repository, 'code/node_modules/film'),
    'what it does not need is not copied',
  );
  t.equal(readlinkSync(join(release.folder, 'node_modules/api')), '..', 'itself is the copy');
  t.not((await storeRelease(app, store, [dataDir])).hash, release.hash, 'it is another release by now');
});

t.test('a copy that was changed or has lost a file is no release, and is made anew', async (t) => {
  const { root, dataDir } = makeProject(t);
  const store = releasesFolder(dataDir);
  const release = await storeRelease(root, store, [dataDir]);
  const changed = watchRelease(release);
  t.equal(changed(), undefined);
  const path = join(release.folder, 'src/deep/one.ts');
  chmodSync(path, 0o600);
  t.equal(changed(), undefined, 'it has the same content, as after a chown');
  writeFileSync(path, 'export const one = 9;\n');
  t.equal(changed(), 'src/deep/one.ts');
  t.equal(await findRelease(store, release.hash), undefined);
  t.equal((await storeRelease(root, store, [dataDir])).hash, release.hash);
  t.equal(readFileSync(path, 'utf8'), 'export const one = 1;\n');
  rmSync(join(release.folder, 'src/bin.js'));
  t.equal(await findRelease(store, release.hash), undefined);
});

t.test('a release whose packages are gone or others says what to bring back', async (t) => {
  const { root, dataDir, write } = makeProject(t);
  const release = await storeRelease(root, releasesFolder(dataDir), [dataDir]);
  t.equal(await packagesProblem(release), undefined);
  write('node_modules/.package-lock.json', '{"packages":{"koa":{}}}');
  t.equal(
    await packagesProblem(release),
    `${join(root, 'node_modules')} holds other packages than it was made with: bring back those (npm ci with its package-lock.json)`,
  );
  rmSync(join(root, 'node_modules'), { recursive: true });
  t.equal(await packagesProblem(release), `its packages are gone: bring back ${join(root, 'node_modules')}`);
});

t.test('what nobody needs is removed, and nothing else', async (t) => {
  const { root, dataDir, write } = makeProject(t);
  const store = releasesFolder(dataDir);
  const first = await storeRelease(root, store, [dataDir]);
  write('src/bin.js', 'second');
  const second = await storeRelease(root, store, [dataDir]);
  writeFileSync(join(store, 'current'), '{}');
  await pruneReleases(store, new Set([second.hash]));
  t.strictSame(readdirSync(store).sort(), [second.hash, 'current'].sort());
  t.equal(await findRelease(store, first.hash), undefined);
});

t.test('a copy that is made twice at the same time stays the one that was there first', async (t) => {
  const { root, dataDir } = makeProject(t);
  const store = releasesFolder(dataDir);
  const make = async () => {
    const { folder } = await storeRelease(root, store, [dataDir]);
    return statSync(folder).ino;
  };
  const [first, ...others] = await Promise.all([make(), make(), make()]);
  t.same(others, [first, first]);
  t.same(readdirSync(store).length, 1, 'nothing is left beside it');
});
