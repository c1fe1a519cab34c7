import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { type FindOptions, findLitestream } from '../../src/replication/binary.ts';
import { failureOf, keepingLog } from './fixture.ts';

/** Makes a program called litestream that says `answer`. */
function fake(folder: string, answer: string, mode = 0o755): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'litestream');
  writeFileSync(path, `#!/bin/sh\necho '${answer}'\n`);
  chmodSync(path, mode);
  return path;
}

async function find(options: Partial<FindOptions> = {}) {
  const { log, lines } = keepingLog();
  const found = await findLitestream({ litestreamBin: undefined, path: '', log, ...options });
  return { found, lines };
}

t.test('without anything else it is the one that npm carries', async (t) => {
  const { found } = await find({ path: `${t.testdir()}${delimiter}/nowhere` });
  t.match(found, { path: /@flydotio\/litestream-[\w-]+\/litestream$/, version: '0.3.13' });
});

t.test('the one on PATH comes before it', async (t) => {
  const dir = t.testdir();
  const path = fake(dir, 'v0.3.14');
  t.same((await find({ path: ['', '/nowhere', dir].join(delimiter) })).found, {
    path,
    version: '0.3.14',
    format: 'wal',
  });
});

t.test('a Litestream of 0.5 is taken from 0.5.17 on, and writes the other format', async (t) => {
  const dir = t.testdir();
  const path = fake(dir, 'v0.5.17');
  t.same((await find({ path: dir })).found, { path, version: '0.5.17', format: 'ltx' });
  const litestreamBin = fake(join(dir, 'given'), 'v0.5.20');
  t.match((await find({ litestreamBin })).found, { version: '0.5.20', format: 'ltx' });
});

t.test("npm's own scripts on PATH are passed over: a signal would end them and not Litestream", async (t) => {
  const dir = t.testdir();
  fake(join(dir, 'node_modules', '.bin'), 'v0.3.99');
  const target = fake(join(dir, 'lib', 'node_modules', '@flydotio', 'litestream'), 'v0.3.98');
  mkdirSync(join(dir, 'global'));
  symlinkSync(target, join(dir, 'global', 'litestream'));
  const path = [join(dir, 'node_modules', '.bin'), join(dir, 'global')].join(delimiter);
  const { found, lines } = await find({ path });
  t.equal(found.version, '0.3.13');
  t.same(lines, []);
});

t.test('an unusable one on PATH is skipped with a warning', async (t) => {
  for (const [answer, reason] of [
    ['v0.3.9', /0\.3\.9/],
    ['v0.5.3', /lose data/],
    ['v0.5.16', /lose data/],
    ['v0.5.0-beta1', /0\.5\.0-beta1.*lose data/],
    ['v0.6.0', /0\.3 and 0\.5 only/],
    ['v0.4.0-beta.2', /0\.3 and 0\.5 only/],
    ['v1.0.0', /0\.3 and 0\.5 only/],
    ['(development build)', /not a released Litestream/],
    ['hello', /not a released Litestream/],
  ] as const) {
    const dir = t.testdir();
    fake(dir, answer);
    const { found, lines } = await find({ path: dir });
    t.equal(found.version, '0.3.13', answer);
    t.match(lines, [{ level: 40, msg: reason }]);
  }
});

t.test('what is on PATH and not a program is not looked at', async (t) => {
  const dir = t.testdir({ folder: { litestream: {} } });
  fake(join(dir, 'plain'), 'v0.3.14', 0o644);
  const { found, lines } = await find({ path: [join(dir, 'folder'), join(dir, 'plain')].join(delimiter) });
  t.equal(found.version, '0.3.13');
  t.same(lines, []);
});

t.test('LITESTREAM_BIN comes before all others', async (t) => {
  const dir = t.testdir();
  const litestreamBin = fake(join(dir, 'given'), 'v0.3.12');
  fake(join(dir, 'path'), 'v0.3.14');
  t.same((await find({ litestreamBin, path: join(dir, 'path') })).found, {
    path: litestreamBin,
    version: '0.3.12',
    format: 'wal',
  });
});

t.test(
  'an unusable LITESTREAM_BIN is a failure that says what to do, never another one instead',
  async (t) => {
    const dir = t.testdir({ 'data.txt': 'text', broken: 'ELF' });
    chmodSync(join(dir, 'broken'), 0o755);
    for (const [litestreamBin, reason] of [
      [join(dir, 'nothing'), /does not exist/],
      [dir, /is not a file/],
      [join(dir, 'data.txt'), /is not executable/],
      [join(dir, 'broken'), /cannot be run|not a released/],
      ['/bin/false', /cannot be run/],
      ['/bin/echo', /not a released Litestream/],
      [fake(join(dir, 'old'), 'v0.3.8'), /0\.3\.8/],
      [fake(join(dir, 'bad'), 'v0.5.2'), /0\.5\.0 to 0\.5\.16 lose data/],
      [fake(join(dir, 'new'), 'v0.6.0'), /0\.3 and 0\.5 only/],
    ] as const) {
      const failure = await failureOf(find({ litestreamBin }));
      t.match(failure, { code: 'litestream_missing', message: reason }, litestreamBin);
      t.match(failure.message, /LITESTREAM_BIN.*Install Litestream 0\.3\.13, or 0\.5\.17 or later/);
    }
  },
);

t.test('where there is none at all it says what to do', async (t) => {
  t.match(await failureOf(find({ npmBinary: undefined })), {
    code: 'litestream_missing',
    message: /none on PATH.*npm install without --omit=optional/,
  });
  t.match(await failureOf(find({ npmBinary: '/nowhere/litestream' })), { message: /does not exist/ });
});
