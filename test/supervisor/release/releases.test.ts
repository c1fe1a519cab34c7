import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createLog } from '../../../src/log.ts';
import { Releases } from '../../../src/supervisor/release/releases.ts';
import { releasesFolder, storeRelease } from '../../../src/supervisor/release/store.js';
import { makeProject } from './project.ts';

t.test('nothing is started while packages are gone or being installed', async (t) => {
  const { root, dataDir, write } = makeProject(t);
  const release = await storeRelease(root, releasesFolder(dataDir), [dataDir]);
  const releases = new Releases({
    invocation: {
      root,
      installation: root,
      app: undefined,
      program: join(root, 'src/bin.js'),
      cwd: root,
      environment: {},
    },
    dataDir,
    data: [dataDir],
    log: createLog('test', 'silent', 'json'),
  });
  const packages = join(root, 'node_modules');
  const refusal = {
    code: 'release_unusable',
    message: `the packages in ${packages} are gone, or are being installed. Bring them back (npm ci)`,
  };
  releases.check(release);
  rmSync(packages, { recursive: true });
  t.throws(() => releases.check(release), refusal);
  write('node_modules/koa/index.js', '');
  t.throws(() => releases.check(release), refusal);
  write('node_modules/.package-lock.json', '{"packages":{}}');
  releases.check(release);
});
