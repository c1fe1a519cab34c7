import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readTree } from '../../../src/supervisor/release/tree.js';
import { until } from '../../../src/testing/wait.ts';
import { makeProject } from './project.ts';

t.test(
  'a release is the code alone: no packages, no dot-files, no tests, nothing that is written beside it',
  async (t) => {
    const { root, write } = makeProject(t);
    for (const path of [
      '.env',
      'test/a.test.ts',
      'loadtest/main.ts',
      'app.log',
      'old.db',
      'data/main.db',
      '.git/HEAD',
    ])
      write(path, 'x');
    const { files, version, links } = await readTree(root, [join(root, 'data')]);
    t.strictSame(
      files.map(({ path }) => path),
      ['package.json', 'src/bin.js', 'src/deep/one.ts'],
    );
    t.equal(version, '1.2.3');
    t.strictSame(links, [{ path: 'node_modules', target: join(root, 'node_modules') }]);
  },
);

t.test('the hash names the files, the packages and where those are, and nothing else', async (t) => {
  const { root, folder, write } = makeProject(t);
  const hash = async (of = root) => (await readTree(of, [])).hash;
  const first = await hash();
  t.equal(await hash(), first);
  write('.env', 'PORT=1');
  t.equal(await hash(), first, 'settings are no part of it');
  write('src/deep/one.ts', 'export const one = 2;\n');
  const second = await hash();
  t.not(second, first);
  write('src/deep/one.ts', 'export const one = 1;\n');
  t.equal(await hash(), first);
  write('node_modules/.package-lock.json', '{"packages":{"koa":{}}}');
  t.not(await hash(), first, 'other packages are another release');
  write('node_modules/.package-lock.json', '{"packages":{}}');
  symlinkSync(root, join(folder, 'current'));
  t.equal(await hash(join(folder, 'current')), first, 'a link to it is the same');
  renameSync(root, join(folder, 'moved'));
  t.not(await hash(join(folder, 'moved')), first, 'its packages are elsewhere');
});

t.test('a package.json of an editor of Windows is one', async (t) => {
  const { root, write } = makeProject(t);
  write('package.json', '\uFEFF{\r\n"version": "1.2.4"\r\n}\r\n');
  t.equal((await readTree(root, [])).version, '1.2.4');
});

t.test('a folder that is too large says what is large, and what is no project says so', async (t) => {
  const { root, folder, write } = makeProject(t);
  write('media/film.bin', '');
  truncateSync(join(root, 'media/film.bin'), 51 * 1024 * 1024);
  await t.rejects(readTree(root, []), {
    code: 'release_unusable',
    message: /is 51\.0 MB.*The largest files: media\/film\.bin \(51\.0 MB\), /,
  });
  write('package.json', 'null');
  await t.rejects(readTree(root, []), {
    code: 'release_unusable',
    message: `${root} is no project: its package.json cannot be read (it holds no object)`,
  });
  mkdirSync(join(folder, 'empty'));
  await t.rejects(readTree(join(folder, 'empty'), []), {
    code: 'release_unusable',
    message: /is no project/,
  });
  await t.rejects(readTree(join(folder, 'none'), []), {
    code: 'release_unusable',
    message: /There is no folder/,
  });
});

t.test('what is removed while it is read is a deploy under way', async (t) => {
  const { root } = makeProject(t);
  const path = join(root, 'src', 'deep', 'two.ts');
  const churn = spawn('sh', ['-c', `while :; do : > ${path}; rm ${path}; done`]);
  t.teardown(() => churn.kill());
  let failure: unknown;
  await until(
    () =>
      readTree(root, []).then(
        () => false,
        (error: unknown) => {
          failure = error;
          return true;
        },
      ),
    'it is removed meanwhile',
  );
  t.match(failure, {
    code: 'release_changing',
    message: `A deploy is under way: ${path} was removed while it was read. Try again when it is done`,
  });
});

const skip = process.getuid?.() !== 0 && 'needs to be root, to be another user';

t.test('a file that is closed to this user is told with what to do', { skip }, async (t) => {
  const { root, folder, write } = makeProject(t);
  chmodSync(folder, 0o755);
  write('server.key', 'x');
  chmodSync(join(root, 'server.key'), 0o600);
  const module = new URL('../../../src/supervisor/release/tree.js', import.meta.url);
  const script = `const { readTree } = await import('${module}');
    await readTree('${root}', []).catch(({ code, message }) => console.log(code, message));`;
  const { stdout } = spawnSync('env', ['-i', process.execPath, '--input-type=module', '--eval', script], {
    uid: 65_534,
    cwd: '/',
    encoding: 'utf8',
  });
  t.equal(
    stdout,
    `release_unusable EACCES: permission denied, open '${root}/server.key': all of the project's folder is copied. Let this user (id 65534) read that, or move it elsewhere\n`,
  );
});
