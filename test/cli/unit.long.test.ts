import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { request } from '../support/http.ts';
import { start } from '../support/system.ts';
import { CREATE, created, Place, PROJECT } from './unit-fixture.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

const NEEDING = [
  'status',
  'events',
  'events --follow',
  'verify',
  'reload',
  `reload --release ${PROJECT}`,
  'rollback',
  'restart worker',
  'stop',
  'acknowledge',
  'keys list',
  'keys rotate ops',
  'keys revoke ops',
];

t.test(
  'a unit is asked only where it starts this project, and no DATA_DIR stands in the environment',
  (t) => {
    const place = new Place(t);
    place.units({ WorkingDirectory: place.folder, Environment: 'DATA_DIR=/nowhere' });
    const own = join(place.folder, 'own');
    created(t, place.run(CREATE, { DATA_DIR: own }), own);
    t.notOk(place.wasAsked);

    place.units({ WorkingDirectory: place.elsewhere, Environment: 'DATA_DIR=/nowhere' });
    created(t, place.run(CREATE), join(place.folder, 'data'));
    t.ok(place.wasAsked);
    t.same(readdirSync(place.elsewhere), []);

    place.units({
      WorkingDirectory: place.folder,
      Environment: 'DATA_DIR=/nowhere',
      InvocationID: 'it-is-this-one',
    });
    const within = place.run('keys list --json', { INVOCATION_ID: 'it-is-this-one' });
    t.equal(JSON.parse(within.stdout)[0].name, 'ops', 'what the unit itself runs has its environment');
    t.equal(within.stderr, '');
    t.end();
  },
);

t.test('in a folder that was removed every command works, but with a relative path', (t) => {
  const place = new Place(t);
  place.units({});
  const inRemoved = (words: string) =>
    spawnSync(
      'sh',
      [
        '-c',
        'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"',
        'env',
        '-i',
        `PATH=${cleanEnv().PATH}`,
        `LITESTREAM_BIN=${cleanEnv().LITESTREAM_BIN}`,
        'PORT=8080',
        process.execPath,
        join(place.link, 'src/bin.js'),
        ...words.split(' '),
      ],
      { cwd: place.elsewhere, encoding: 'utf8' },
    );
  created(t, inRemoved(CREATE), join(place.folder, 'data'));
  const to = join(place.folder, 'copy.db');
  for (const words of [
    'keys list',
    'verify',
    'doctor',
    'install-service --user daemon',
    `restore --to ${to}`,
  ]) {
    const { status, stderr } = inRemoved(words);
    t.equal(status, 0, `${words}: ${stderr}`);
  }
  for (const words of [
    'restore --to copy.db',
    'reload --release code',
    'install-service --user daemon --dir units',
  ]) {
    const { status, stderr } = inRemoved(words);
    t.equal(status, 64, words);
    t.match(stderr, /^ninelives: The working directory was removed: give \w+(\.db)? as an absolute path\n$/);
  }
  t.end();
});

t.test('a key that is made beside a service is one of the data of its unit', async (t) => {
  const place = new Place(t);
  const dataDir = join(place.folder, 'var');
  const settings = join(place.folder, 'settings');
  // Read as systemd does: Node.js would end the value at the #.
  writeFileSync(settings, `DATA_DIR=${dataDir}\nPUBLIC_URL=https://example.org/#a\n`);
  writeFileSync(join(place.folder, '.env'), 'DATA_DIR=not-this\n');
  place.units(
    { Id: 'other.service', WorkingDirectory: '/', Environment: 'DATA_DIR=/nowhere' },
    {
      WorkingDirectory: `!${place.folder}`,
      Environment: `DATA_DIR=/overridden "A B=c"`,
      EnvironmentFiles: `/not/there (ignore_errors=yes)\nEnvironmentFiles=${settings} (ignore_errors=no)`,
    },
    {
      Id: 'backup.service',
      WorkingDirectory: place.folder,
      ExecStart: '{ argv[]=/n src/bin.js verify ; pid=0 }',
    },
  );
  const create = [CREATE, ...APP_ARGUMENTS].join(' ');
  const refused = place.run(create);
  t.same([refused.status, refused.stdout], [78, ''], refused.stderr);
  t.match(refused.stderr, /\n {2}PUBLIC_URL: expected a URL of a host/);
  writeFileSync(settings, `DATA_DIR=${dataDir}\n`);
  const made = place.run(create);
  created(t, made, dataDir);
  t.ok(made.stderr.startsWith(`ninelives: the data folder is ${dataDir}, as ninelives.service has it\n`));
  t.same(readdirSync(place.elsewhere), []);
  t.notOk(existsSync(join(place.folder, 'not-this')));

  const system = await start(t, {}, dataDir);
  const headers = { Authorization: `Bearer ${made.stdout.trim()}` };
  t.equal((await request(`${system.url}/note`, { headers })).status, 200);
  const status = place.run('status --json');
  t.equal(JSON.parse(status.stdout).dataDir, dataDir);
});

t.test(
  'a command that finds neither a system nor a database says where it looked, and makes nothing',
  (t) => {
    const place = new Place(t);
    place.units({});
    const before = readdirSync(place.folder).sort();
    for (const words of NEEDING) {
      const { status, stdout, stderr } = place.run(words);
      t.same([status, stdout], [75, ''], words);
      t.match(stderr, /^ninelives: [^\n]+\n$/, words);
      t.ok(stderr.includes(` ${place.folder}/data.`), `${words}: ${stderr}`);
    }
    rmdirSync(place.elsewhere);
    mkdirSync(place.elsewhere);
    t.same(
      readdirSync(place.folder)
        .filter((name) => name !== 'asked')
        .sort(),
      before,
    );
    t.end();
  },
);

t.test(
  'settings of a unit that are closed to this user are told with the user to become',
  { skip: !isRoot && 'needs to be root, to be another user' },
  (t) => {
    const place = new Place(t);
    const closed = join(place.folder, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    for (const path of [join(place.folder, 'settings'), join(closed, 'settings')]) {
      writeFileSync(path, `DATA_DIR=${place.folder}/var\n`, { mode: 0o600 });
      place.units({ WorkingDirectory: place.folder, EnvironmentFiles: `${path} (ignore_errors=yes)` });
      for (const words of [CREATE, 'status', 'events', 'verify', 'reload', 'start']) {
        const { status, stdout, stderr } = place.run(words, { uid: NOBODY });
        t.same([status, stdout], [77, ''], words);
        t.equal(
          stderr,
          `ninelives: The settings in ${path} cannot be read (EACCES: permission denied, open '${path}'); it belongs to the user with the id 0: run this as that user (sudo -u '#0')\n`,
          words,
        );
      }
      t.equal(place.run('status --help', { uid: NOBODY }).status, 0, 'help needs none');
    }
    t.end();
  },
);
