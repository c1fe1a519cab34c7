import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { noteOf, request } from '../support/http.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { MODULE, makeProject, runIn } from './launch-fixture.ts';

t.test('where the app cannot be loaded, the replica tells which databases can be restored', async (t) => {
  const project = makeProject(t);
  const dataDir = temporaryFolder(t);
  const env = { REPLICA_URL: `file://${join(temporaryFolder(t), 'replica')}` };
  const system = await start(t, env, dataDir, { root: project.root });
  const { status } = await request(`${system.url}/note`, { method: 'POST', body: noteOf('kept') });
  t.equal(status, 201);
  await system.stop();
  project.prepend(MODULE, 'throw new Error("broken");');
  const options = { ...env, DATA_DIR: dataDir };
  const verify = runIn(project, options, 'verify');
  t.equal(verify.code, 78, 'only the app tells which databases the replica has to have');
  rmSync(dataDir, { recursive: true });
  const told = / cannot be loaded \(.*Error: broken.*\); going on without the app\n/;

  const list = runIn(project, options, 'restore', '--list', '--json');
  t.equal(list.code, 0, list.stderr);
  t.match(list.stderr, told);
  const listed = JSON.parse(list.stdout) as { database: string }[];
  t.strictSame(
    listed.map(({ database }) => database),
    ['main', 'media'],
  );

  const restored = runIn(project, options, 'restore', '--in-place');
  t.equal(restored.code, 0, restored.stderr);
  t.match(restored.stderr, told);
  project.restore(MODULE);
  const again = await start(t, env, dataDir, { root: project.root });
  t.equal((await request(`${again.url}/note/kept`)).status, 200);

  const none = runIn(project, { ...options, REPLICA_URL: `file://${dataDir}/none` }, 'restore', '--list');
  t.equal(none.code, 66);
});
