import { execFile } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { features } from '../../../src/features/features.ts';
import { startApp } from '../../support/app.ts';
import { describedBy } from '../../support/described.ts';
import { temporaryFolder } from '../../support/system.ts';
import { cannotInstall, longTier } from '../../support/tools.ts';
import { IMAGES } from '../support/images.ts';

const run = promisify(execFile);
const SCRIPTS = new URL('./clients/', import.meta.url).pathname;

const { document } = await describedBy(features);
const operations = Object.values(document.paths).flatMap((methods) =>
  Object.values(methods).map(({ operationId }) => operationId),
);
/** What each call is answered with here, where there is no primary and no mail has been sent; 200 where nothing is said. */
const STATUSES: Readonly<Record<string, number>> = {
  putAlert: 201,
  putImage: 201,
  retryAlert: 409,
  showUnsubscribe: 404,
  unsubscribe: 404,
  getMetrics: 503,
  watchSystem: 503,
};
const expected = Object.fromEntries(operations.map((id) => [id, STATUSES[id] ?? 200]).toSorted());

t.test(
  'a generated TypeScript client compiles, and makes one call of each route',
  { skip: longTier },
  async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}');
    const packages = ['openapi-typescript@7', 'openapi-fetch@0', 'typescript@5', '@types/node@24'];
    const missing = cannotInstall('npm', ['install', '--no-audit', '--no-fund', ...packages], folder);
    if (missing) return t.skip(missing, () => {});
    const app = await startApp(t);
    writeFileSync(join(folder, 'openapi.json'), JSON.stringify(document));
    writeFileSync(join(folder, 'a.png'), IMAGES['image/png']);
    copyFileSync(join(SCRIPTS, 'every-route.ts.txt'), join(folder, 'every-route.ts'));
    await run('npx', ['openapi-typescript', 'openapi.json', '-o', 'api.ts'], { cwd: folder });
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022'];
    const more = ['--allowImportingTsExtensions', '--types', 'node', 'every-route.ts'];
    await run('npx', ['tsc', ...options, ...more], { cwd: folder });
    const { stdout } = await run(process.execPath, ['every-route.ts', `http://127.0.0.1:${app.port}`], {
      cwd: folder,
    });
    t.strictSame(JSON.parse(stdout), expected);
  },
);

t.test(
  'a generated Python client uploads, downloads, and makes one call of each route',
  { skip: longTier },
  async (t) => {
    const folder = temporaryFolder(t);
    const missing =
      cannotInstall('python3', ['-m', 'venv', 'venv'], folder) ||
      cannotInstall('venv/bin/pip', ['install', 'openapi-python-client==0.29.*'], folder);
    if (missing) return t.skip(missing, () => {});
    const app = await startApp(t);
    writeFileSync(join(folder, 'openapi.json'), JSON.stringify(document));
    writeFileSync(join(folder, 'a.png'), IMAGES['image/png']);
    copyFileSync(join(SCRIPTS, 'every_route.py'), join(folder, 'every_route.py'));
    const generate = ['generate', '--path', 'openapi.json', '--output-path', 'client', '--meta', 'none'];
    const generated = await run('venv/bin/openapi-python-client', generate, { cwd: folder });
    t.notMatch(generated.stdout + generated.stderr, /WARNING parsing|will be omitted/, 'nothing is left out');
    const { stdout } = await run('venv/bin/python', ['every_route.py', `http://127.0.0.1:${app.port}`], {
      cwd: folder,
    });
    t.strictSame(JSON.parse(stdout), expected);
  },
);
