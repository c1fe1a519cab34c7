import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  addCompiled,
  compileCacheOf,
  seedCompileCache,
  shareCompiled,
} from '../../../src/supervisor/release/compile-cache.js';
import { temporaryFolder } from '../../support/system.ts';

const OTHER_FILE_SYSTEM = '/dev/shm';

t.test(
  'compiled code is linked, folders and all, and what is there of another content is replaced',
  async (t) => {
    const folder = temporaryFolder(t);
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    mkdirSync(join(from, 'v24'), { recursive: true });
    mkdirSync(join(to, 'v24'), { recursive: true });
    writeFileSync(join(from, 'v24', 'one'), 'one');
    writeFileSync(join(from, 'v24', 'two'), 'two, changed');
    writeFileSync(join(to, 'v24', 'two'), 'two');
    writeFileSync(join(to, 'v24', 'three'), 'three');
    addCompiled(from, to);
    for (const name of ['one', 'two'])
      t.equal(statSync(join(to, 'v24', name)).ino, statSync(join(from, 'v24', name)).ino, name);
    t.equal(readFileSync(join(to, 'v24', 'three'), 'utf8'), 'three', 'what only the target has stays');
    addCompiled(from, to);
    t.equal(readFileSync(join(to, 'v24', 'two'), 'utf8'), 'two, changed', 'a second time changes nothing');
  },
);

t.test('compiled code makes no folder of packages that were moved away', async (t) => {
  const folder = temporaryFolder(t);
  const nodeModules = join(folder, 'app', 'node_modules');
  mkdirSync(join(compileCacheOf(folder), 'v24'), { recursive: true });
  writeFileSync(join(compileCacheOf(folder), 'v24', 'one'), 'one');
  shareCompiled({ folder, nodeModules });
  t.notOk(existsSync(join(folder, 'app')));
  mkdirSync(nodeModules, { recursive: true });
  shareCompiled({ folder, nodeModules });
  t.equal(readFileSync(join(nodeModules, '.cache/ninelives/releases/v24/one'), 'utf8'), 'one');
});

t.test(
  'compiled code on another file system is copied',
  {
    skip:
      !existsSync(OTHER_FILE_SYSTEM) || statSync(OTHER_FILE_SYSTEM).dev === statSync('/tmp').dev
        ? 'there is one file system only'
        : false,
  },
  async (t) => {
    const from = temporaryFolder(t);
    const to = mkdtempSync(join(OTHER_FILE_SYSTEM, 'ninelives-test-'));
    t.teardown(() => rmSync(to, { recursive: true }));
    writeFileSync(join(from, 'one'), 'one');
    addCompiled(from, to);
    t.equal(readFileSync(join(to, 'one'), 'utf8'), 'one');
  },
);

t.test('a copy that has compiled code of its own keeps it', async (t) => {
  const folder = temporaryFolder(t);
  const from = join(folder, 'from');
  mkdirSync(from);
  writeFileSync(join(from, 'one'), 'one');
  mkdirSync(compileCacheOf(folder));
  seedCompileCache(folder, from);
  t.notOk(existsSync(join(compileCacheOf(folder), 'one')));
});

t.test('nothing to share, or no place for it, is no error', async (t) => {
  const folder = temporaryFolder(t);
  seedCompileCache(folder, join(folder, 'missing'));
  t.notOk(existsSync(compileCacheOf(folder)));
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'from'));
  writeFileSync(join(folder, 'from', 'one'), 'one');
  addCompiled(join(folder, 'from'), join(folder, 'file'));
  t.equal(statSync(join(folder, 'file')).size, 0);
});
