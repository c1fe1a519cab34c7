import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readCurrent } from '../../src/supervisor/release/current.js';
import { releasesFolder } from '../../src/supervisor/release/store.js';
import type { LogLine } from '../../src/testing/running-system.ts';
import { noteOf, request } from '../support/http.ts';
import { Installation } from '../support/installation.ts';

t.test('settings and data that would not count are refused with both places', async (t) => {
  const place = new Installation(t);
  const { root } = place.release('1.0.0');
  place.point('1.0.0');
  writeFileSync(join(root, '.env'), 'PORT=1\n');
  const settings = await place.launch().ended();
  t.equal(settings.code, 78);
  const told = await place.run('reload');
  t.equal(told.code, 78);
  t.equal(
    told.stderr,
    `ninelives: Settings would be taken from ${join(place.folder, '.env')}, and ${join(root, '.env')} would not count. Stop the system that uses it, and move it: mv ${join(root, '.env')} ${join(place.folder, '.env')}\n`,
  );
  rmSync(join(root, '.env'));
  mkdirSync(join(root, 'data'));
  writeFileSync(join(root, 'data', 'main.db'), '');
  const data = await place.run('install-service', '--user', 'daemon');
  t.equal(data.code, 78);
  t.equal(
    data.stderr,
    `ninelives: The data would be taken from ${place.dataDir}, and ${join(root, 'data')} would not count. Stop the system that uses it, and move it: mv ${join(root, 'data')} ${place.dataDir}\n`,
  );
});

t.test('a copy that was changed or removed starts nothing until it is made anew', async (t) => {
  const place = new Installation(t);
  const deployed = place.release('1.0.0');
  place.point('1.0.0');
  const system = await place.start();
  const { hash } = (await place.status()).releases.workers;
  const store = releasesFolder(place.dataDir);
  const path = join(store, hash, 'src', 'worker', 'main.ts');
  const text = readFileSync(path, 'utf8');
  const change = () => {
    chmodSync(path, 0o600);
    writeFileSync(path, `${text}\n`);
  };
  const isRefused = ({ msg }: LogLine) => msg.includes('main.ts was changed or removed; nothing is started');
  const runsAgain = (name: string) => (line: LogLine) => line.msg.startsWith(`${name} ready`);

  change();
  let from = system.lines.length;
  process.kill(system.pidOf('worker-1'), 'SIGKILL');
  await system.waitFor(isRefused, from);
  await system.waitFor(runsAgain('worker-1'), from);
  t.equal(readFileSync(path, 'utf8'), text);

  const record = readCurrent(store);
  rmSync(store, { recursive: true });
  from = system.lines.length;
  process.kill(system.pidOf('writer'), 'SIGKILL');
  await system.waitFor(runsAgain('writer'), from);
  t.strictSame(readCurrent(store), record);
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);

  change();
  deployed.write('src/worker/main.ts', `${text}// Another one.\n`);
  from = system.lines.length;
  process.kill(system.pidOf('worker-1'), 'SIGKILL');
  await system.waitFor(isRefused, from);
  const { status } = await place.status();
  t.match(
    status.degraded.find(({ name }) => name === 'worker-1')?.reason,
    /main\.ts was changed or removed; nothing .*has other code by now, reload or restart/,
  );
  t.equal((await place.run('reload')).code, 0);
});
