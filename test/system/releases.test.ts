import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
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
