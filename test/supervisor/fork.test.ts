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

t.test(
  'what NODE_OPTIONS loads first is found in the release, by a relative path or as a package',
  async (t) => {
    const folder = temporaryFolder(t);
    const tracer = join(folder, 'node_modules', 'tracer');
    for (const made of [tracer, join(folder, 'src', 'runtime')]) mkdirSync(made, { recursive: true });
    writeFileSync(join(folder, 'src', 'runtime', 'main.ts'), 'process.send!({ ...globalThis.loaded });');
    writeFileSync(join(folder, 'tracing.cjs'), 'globalThis.loaded = { isTraced: true };');
    writeFileSync(join(tracer, 'index.js'), 'globalThis.loaded.hasTracer = true;');
    const { release, ...rest } = makeDeployment();
    const options = process.env.NODE_OPTIONS;
    process.env.NODE_OPTIONS = `${options ?? ''} --require=./tracing.cjs --require=tracer`;
    t.teardown(() => {
      process.env.NODE_OPTIONS = options ?? '';
    });
    const deployment = { ...rest, release: { ...release, folder } };
    const child = fork(deployment, '/code/worker/main.ts', { role: 'worker-1', standby: 'none' });
    const exit = once(child, 'exit');
    const [told] = await Promise.race([once(child, 'message'), exit]);
    t.same(told, { isTraced: true, hasTracer: true });
    if (child.connected) child.disconnect();
    await exit;
  },
);

t.test('a Node.js that is gone is an error of the child, and ends nobody', async (t) => {
  const { release, ...rest } = makeDeployment();
  const deployment = { ...rest, release: { ...release, nodePath: '/nowhere/node' } };
  const child = fork(deployment, '/code/worker/main.ts', { role: 'worker-1', standby: 'none' });
  const [error] = await once(child, 'error');
  t.equal(error.code, 'ENOENT');
  t.equal(child.pid, undefined);
});
