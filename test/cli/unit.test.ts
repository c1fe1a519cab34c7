import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Place, PROJECT, type RunOptions } from './unit-fixture.ts';

t.test('a unit whose WorkingDirectory is the link, and a link to the program, are this project', (t) => {
  const place = new Place(t);
  place.units({ WorkingDirectory: place.link, Environment: 'DATA_DIR=/nowhere/at-all' });
  t.match(place.run('status').stderr, /No system runs on \/nowhere\/at-all\./);
  place.units({});
  const program = join(place.folder, 'bin', 'ninelives');
  symlinkSync(join(place.link, 'src/bin.js'), program);
  const ran = place.run('status', { path: program });
  t.same(
    [ran.status, ran.stderr],
    [75, `ninelives: No system runs on ${place.folder}/data. Start one with: npm start\n`],
  );
  t.end();
});

t.test('as npm and npx run it, the installation is where they were run', (t) => {
  const place = new Place(t);
  place.units({});
  const modules = join(place.folder, 'npx', 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  symlinkSync(PROJECT, join(modules, 'ninelives'));
  const manifestOfNpx = { dependencies: { ninelives: 'file:../ninelives' }, _npx: { packages: [PROJECT] } };
  writeFileSync(join(place.folder, 'npx', 'package.json'), JSON.stringify(manifestOfNpx));
  const path = join(modules, '.bin', 'ninelives');
  symlinkSync('../ninelives/src/bin.js', path);
  const folderOf = (options: RunOptions) =>
    /No system runs on (\S+)\. /.exec(place.run('status', options).stderr)?.[1];
  t.equal(folderOf({ path, PWD: place.link }), join(place.folder, 'data'), 'npx in the link');
  t.equal(folderOf({ path }), join(PROJECT, 'data'), 'npx elsewhere');
  const manifest = join(place.link, 'package.json');
  const program = join(PROJECT, 'src/bin.js');
  t.equal(
    folderOf({ path: program, npm_package_json: manifest }),
    join(place.folder, 'data'),
    'npm --prefix',
  );
  t.equal(folderOf({ path: program }), join(PROJECT, 'data'));
  t.end();
});

t.test('two units that start this project are told apart by a person', (t) => {
  const place = new Place(t);
  const WorkingDirectory = place.folder;
  place.units(
    { WorkingDirectory },
    { Id: 'shop.service', WorkingDirectory },
    { Id: 'shop.service', WorkingDirectory },
  );
  const { status, stderr } = place.run('status');
  t.equal(status, 78);
  t.equal(
    stderr,
    'ninelives: ninelives.service and shop.service all start this project: say by DATA_DIR=… which data is meant\n',
  );
  t.end();
});
