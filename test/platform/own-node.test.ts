import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { ownNodeOf } from '../../src/platform/own-node.js';

const PACKAGE = `node-linux-${process.arch}`;

function makeFolder(t: Test) {
  // Not below this project, whose own Node.js would be found.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nl-')));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const write = (path: string, text = '') => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
    return join(folder, path);
  };
  return { folder, write };
}

t.test('it is what npm has linked', async (t) => {
  const { folder, write } = makeFolder(t);
  write(`node_modules/${PACKAGE}/bin/node`);
  mkdirSync(join(folder, 'node_modules/.bin'));
  const link = join(folder, 'node_modules/.bin/node');
  symlinkSync(`../${PACKAGE}/bin/node`, link);
  t.equal(ownNodeOf(folder), link);
});

t.test(
  'it is never a script that would run it, as pnpm has one, whose packages lie beside the real folder',
  async (t) => {
    const { folder, write } = makeFolder(t);
    write(`store/node_modules/${PACKAGE}/package.json`, '{}');
    const node = write(`store/node_modules/${PACKAGE}/bin/node`);
    chmodSync(write('store/node_modules/ninelives/node_modules/.bin/node', '#!/bin/sh\n'), 0o755);
    mkdirSync(join(folder, 'app/node_modules'), { recursive: true });
    const chassis = join(folder, 'app/node_modules/ninelives');
    symlinkSync(join(folder, 'store/node_modules/ninelives'), chassis);
    t.equal(ownNodeOf(chassis), node);
  },
);

t.test('there may be none', async (t) => {
  const { folder } = makeFolder(t);
  t.equal(ownNodeOf(folder), undefined);
});
