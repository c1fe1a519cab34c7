import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fork } from '../../src/supervisor/fork.ts';
import { makeDeployment } from '../support/deployment.ts';
import { temporaryFolder } from '../support/system.ts';

/** Tells what it was started with. */
const MAIN = `
const { NODE_COMPILE_CACHE: cache, OWN_NODE: ownNode, SECRET: secret, MALLOC_ARENA_MAX: arenas } = process.env;
const { entryPath, config } = JSON.parse(process.env.NINELIVES_CHILD!);
const young = process.execArgv.filter((option) => option.includes('semi-space'));
process.send!({ young, main: import.meta.filename, args: process.argv.slice(2), entryPath, dataDir: config.DATA_DIR, cache, ownNode, secret, arenas });
`;

t.test('a child runs the code, the Node.js and the settings of its deployment', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'src', 'runtime'), { recursive: true });
  mkdirSync(join(folder, '.cache'));
  const main = join(folder, 'src', 'runtime', 'main.ts');
  writeFileSync(main, MAIN);
  const nodePath = join(folder, 'node');
  writeFileSync(nodePath, `#!/bin/sh\nOWN_NODE=yes exec '${process.execPath}' "$@"\n`, { mode: 0o755 });
  const { release, ...rest } = makeDeployment('abc', '/data');
  const deployment = { ...rest, release: { ...release, folder, nodePath } };
  const before = process.execPath;
  const context = { role: 'worker-1', standby: 'none' } as const;
  const child = fork(deployment, '/code/worker/main.ts', context, { SECRET: 'its own' });
  t.equal(process.execPath, before);
  const exit = once(child, 'exit');
  const [told] = await once(child, 'message');
  t.same(told, {
    young: ['--max-semi-space-size=8'],
    main,
    args: ['worker-1'],
    entryPath: '/code/worker/main.ts',
    dataDir: '/data',
    cache: join(folder, '.cache'),
    ownNode: 'yes',
    secret: 'its own',
    arenas: '2',
  });
  child.disconnect();
  t.same(await exit, [0, null]);
});

t.test('a Node.js that is gone is an error of the child, and ends nobody', async (t) => {
  const { release, ...rest } = makeDeployment();
  const deployment = { ...rest, release: { ...release, nodePath: '/nowhere/node' } };
  const child = fork(deployment, '/code/worker/main.ts', { role: 'worker-1', standby: 'none' });
  const [error] = await once(child, 'error');
  t.equal(error.code, 'ENOENT');
  t.equal(child.pid, undefined);
});
