import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { type FindOptions, findLitestream, refuseExchanged } from '../../src/replication/binary.ts';
import { like } from '../support/like.ts';
import { failureOf } from './fixture.ts';

/** Makes a program called litestream that says `answer`. */
function fake(folder: string, answer: string, mode = 0o755): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'litestream');
  writeFileSync(path, `#!/bin/sh\necho '${answer}'\n`);
  chmodSync(path, mode);
  return path;
}

function find(options: Partial<FindOptions> = {}) {
  return findLitestream({ litestreamBin: undefined, ...options });
}

t.test('without LITESTREAM_BIN it is the one that npm carries, whatever is on PATH', async (t) => {
  const before = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = before;
  });
  for (const answer of ['v0.3.14', 'v0.5.17', 'hello']) {
    const folder = t.testdir({ [answer]: {} });
    fake(join(folder, answer), answer);
    process.env.PATH = `${join(folder, answer)}${delimiter}${before}`;
    const { path, version, format } = await find();
    t.same([version, format], ['0.3.13', 'wal'], answer);
    t.notOk(path.startsWith(folder));
  }
});

t.test('the one that npm carries is found where only the package that depends on it sees it', async (t) => {
  const project = t.testdir({ node_modules: { '@flydotio': {} } });
  const store = join(project, 'store', 'node_modules', '@flydotio');
  const platform = `litestream-${process.platform}-${process.arch}`;
  for (const name of ['litestream', platform]) {
    mkdirSync(join(store, name), { recursive: true });
    writeFileSync(join(store, name, 'package.json'), '{}');
  }
  const path = fake(join(store, platform), 'v0.3.13');
  symlinkSync(join(store, 'litestream'), join(project, 'node_modules', '@flydotio', 'litestream'));
  like(t, await find({ packages: join(project, 'package.json') }), { path });
});

t.test('a Litestream of 0.5 is taken from 0.5.17 on, and writes the other format', async (t) => {
  const path = fake(t.testdir(), 'v0.5.17');
  like(t, await find({ litestreamBin: path }), { path, version: '0.5.17', format: 'ltx' });
  const litestreamBin = fake(t.testdir(), 'v0.5.20');
  like(t, await find({ litestreamBin }), { version: '0.5.20', format: 'ltx' });
});

t.test('a data folder that 0.5 would read as another path is refused with it', async (t) => {
  const newer = fake(t.testdir(), 'v0.5.17');
  for (const dataDir of ['/srv/a#b', '/srv/a%41', '/srv/%2fb']) {
    like(t, await failureOf(find({ litestreamBin: newer, dataDir })), {
      code: 'config_invalid',
      message: `DATA_DIR: expected a path without # and %, for Litestream 0.5.17: it reads another path of ${dataDir}`,
    });
  }
  like(t, await find({ litestreamBin: newer, dataDir: '/srv/100% a&b' }), { format: 'ltx' });
  const older = fake(t.testdir(), 'v0.3.13');
  like(t, await find({ litestreamBin: older, dataDir: '/srv/a#b' }), { format: 'wal' });
});

t.test('one that was exchanged since it was found is taken only if it writes the same format', async (t) => {
  const folder = t.testdir();
  const path = fake(folder, 'v0.3.12');
  const found = await find({ litestreamBin: path });
  refuseExchanged(found);
  fake(folder, 'v0.3.13 ');
  refuseExchanged(found);
  const refused = async () => refuseExchanged(found);
  const refusal = async () => (await failureOf(refused())).message;
  const end = 'it was Litestream 0.3.12 when it was found. Put that back, or restart the system';
  fake(folder, 'v0.5.17');
  t.equal(await refusal(), `${path} is Litestream 0.5.17, which writes another format; ${end}`);
  rmSync(path);
  t.equal(await refusal(), `${path} does not exist; ${end}`);
});

t.test('LITESTREAM_BIN comes before the one of npm', async (t) => {
  const litestreamBin = fake(t.testdir(), 'v0.3.12');
  like(t, await find({ litestreamBin }), { path: litestreamBin, version: '0.3.12', format: 'wal' });
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
      [fake(join(dir, 'edge'), 'v0.5.16'), /lose data/],
      [fake(join(dir, 'beta'), 'v0.5.0-beta1'), /0\.5\.0-beta1.*lose data/],
      [fake(join(dir, 'four'), 'v0.4.0-beta.2'), /0\.3 and 0\.5 only/],
      [fake(join(dir, 'new'), 'v0.6.0'), /0\.3 and 0\.5 only/],
      [fake(join(dir, 'one'), 'v1.0.0'), /0\.3 and 0\.5 only/],
      [fake(join(dir, 'own'), '(development build)'), /not a released Litestream/],
    ] as const) {
      const failure = await failureOf(find({ litestreamBin }));
      like(t, failure, { code: 'litestream_missing', message: reason }, litestreamBin);
      t.match(failure.message, /LITESTREAM_BIN.*Install Litestream 0\.3\.13, or 0\.5\.17 or later/);
    }
  },
);

t.test('where there is none at all it says what to do', async (t) => {
  like(t, await failureOf(find({ npmBinary: undefined })), {
    code: 'litestream_missing',
    message: /No usable Litestream: npm carries none.*npm install without --omit=optional/,
  });
  like(t, await failureOf(find({ npmBinary: '/nowhere/litestream' })), { message: /does not exist/ });
});
