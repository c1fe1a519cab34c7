import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Failure } from '../../../src/platform/errors.ts';
import { createLog } from '../../../src/platform/log.ts';
import { readCurrent, writeCurrent } from '../../../src/supervisor/release/current.js';
import { Releases } from '../../../src/supervisor/release/releases.ts';
import { releasesFolder, storeRelease } from '../../../src/supervisor/release/store.js';
import { makeProject } from './project.ts';

async function makeReleases(t: Test) {
  const project = makeProject(t);
  const { root, dataDir } = project;
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
  return { ...project, release, releases };
}

t.test('nothing is started while packages are gone or being installed', async (t) => {
  const { root, write, release, releases } = await makeReleases(t);
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

t.test('a start that did not come up leaves to the next one what it went by', async (t) => {
  const { dataDir, release, releases } = await makeReleases(t);
  const store = releasesFolder(dataDir);
  const goesBy = () => {
    const { isStopped, next } = readCurrent(store);
    return { isStopped, next };
  };
  const chosen = { isStopped: true, next: '/chosen' };
  writeCurrent(store, chosen);
  releases.started(release);
  t.strictSame(goesBy(), { isStopped: false, next: null }, 'a kill now: what ran goes on');
  releases.failed();
  t.strictSame(goesBy(), chosen);
  releases.started(release);
  releases.stopped();
  t.strictSame(goesBy(), chosen, 'stopped while it started');
  releases.started(release);
  releases.refused(release, new Failure('child_failed', 'it throws'));
  t.strictSame(goesBy(), { isStopped: true, next: null }, 'it is not chosen again by itself');
  releases.started(release);
  releases.cameUp();
  releases.failed();
  t.strictSame(goesBy(), { isStopped: false, next: null }, 'what was up goes on');
  releases.stopped();
  t.strictSame(goesBy(), { isStopped: true, next: null });
});
