import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readCurrent } from '../../src/supervisor/release/current.js';
import { releasesFolder } from '../../src/supervisor/release/store.js';
import { command } from '../cli/command.ts';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { noteOf, request } from '../support/http.ts';
import { Installation } from '../support/installation.ts';
import { noSmallDisk, resizeDisk, smallDisk } from '../support/small-disk.ts';
import { start, temporaryFolder, until } from '../support/system.ts';
import { deploy } from './release-refused-fixture.ts';

const MODULE = DEPLOYED_APP?.module ?? '';

t.test('a release with another database needs a restart', async (t) => {
  const { isRefused } = await deploy(t, (next) => {
    next.replace('test/small-app/files/feature.ts', "database: 'media',", "database: 'pictures',");
  });
  await isRefused(t, 84, /has the databases main, pictures, and main, media are replicated/);
});

t.test(
  'a migration for which writes would wait too long needs a yes, and keeps nobody from reading',
  async (t) => {
    const { isRefused, place, system } = await deploy(t, (next) => {
      next.addMigration(
        'count_slowly',
        `CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT;
INSERT INTO numbers WITH RECURSIVE all_of(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_of WHERE n < 300000) SELECT n FROM all_of;`,
        true,
      );
    });
    place.settings('WRITE_DEADLINE_MS=10\n');
    await isRefused(
      t,
      64,
      /Writes would wait \d+ ms for main notes\/\d{4}_count_slowly\.sql, as tried on a copy, .* To do it all the same: ninelives reload --yes\./,
    );
    const answers = new Set<number>();
    let isSaid = false;
    let isDone = false;
    const reloading = place.run('reload', '--yes').finally(() => (isDone = true));
    while (!isDone) {
      const { status, json } = await request(`${system.url}/ready`);
      answers.add(status);
      isSaid ||= /it is being exchanged/.test(JSON.stringify(json));
    }
    const { code, stderr } = await reloading;
    t.equal(code, 0, stderr);
    t.strictSame([...answers], [200], 'reads go on: a proxy keeps asking here');
    t.ok(isSaid);
    place.settings('');
    t.equal((await place.run('reload')).code, 0);
    t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
  },
);

t.test('a migration that breaks the release that runs is refused, and says what to do', async (t) => {
  const { isRefused, place } = await deploy(t, (next, first) => {
    first.addFeature('probe', "db.prepare('SELECT x FROM probe'); return () => {};");
    next.addFeature('probe', 'return () => {};');
    for (const deployment of [first, next]) {
      deployment.write(
        'test/small-app/probe/migrations/0001_make.sql',
        'CREATE TABLE probe (x INTEGER) STRICT;\n',
      );
    }
    next.write('test/small-app/probe/migrations/0002_drop.sql', 'DROP TABLE probe;\n');
  });
  await isRefused(
    t,
    78,
    /The migrations main probe\/0002_drop\.sql break the release that runs: .*no such table: probe\. Expand first: /,
  );
  t.notOk(existsSync(join(place.dataDir, 'run', 'dry-run')), 'the copies are removed');
});

t.test(
  'code that hangs, exits or prints while it is loaded keeps nobody from reloading and going back',
  async (t) => {
    const place = new Installation(t);
    place.release('1.0.0');
    place.release('2.0.0');
    const next = place.release('3.0.0');
    const text = next.read(MODULE);
    const startWith = (statement: string) => next.write(MODULE, `${statement}\n${text}`);
    place.env.START_TIMEOUT_MS = '12000';
    place.point('1.0.0');
    const system = await place.start();
    place.point('2.0.0');
    t.equal((await place.run('reload')).code, 0);
    place.point('3.0.0');
    for (const [statement, reason] of [
      ['for (;;);', /cannot be loaded: it did not answer within 12000 ms\. Nothing/],
      [
        'process.exit(0);',
        /cannot be loaded: it ended before it told what it is; does its code call process\.exit\?/,
      ],
      ["throw new Error('boom');", /cannot be loaded: test\/small-app\/app\.ts:1: Error: boom\. Nothing/],
      ['const = 1;', /cannot be loaded: test\/small-app\/app\.ts:1: SyntaxError/],
    ] as const) {
      startWith(statement);
      const { code, stderr } = await place.run('reload');
      t.equal(code, 78, statement);
      t.match(stderr, reason);
    }
    startWith('for (;;);');
    t.equal((await place.run('events', '--limit', '1')).code, 0);
    const back = await place.run('rollback');
    t.equal(back.code, 0, back.stderr);
    startWith("console.log('loaded');");
    const printing = await place.run('reload');
    t.equal(printing.code, 0, printing.stderr);
    const manifest = next.read('package.json');
    next.write('package.json', `<<<<<<< HEAD\n${manifest}`);
    system.kill('SIGKILL');
    await system.ended();
    t.match((await place.start()).lines.at(-1)?.release ?? '', /./, 'what ran goes on');
    t.equal((await place.status()).releases.workers.version, '3.0.0');
    next.write('package.json', manifest);
    startWith('const = 1;');
    t.equal((await place.run('stop')).code, 0);
    const verified = await place.run('verify');
    t.equal(verified.code, 78);
    t.match(
      verified.stderr,
      /^ninelives: No system runs that could be asked, and the code of the app cannot be loaded: .*\. Mend it, or start/m,
    );
  },
);

t.test(
  'a disk that a migration fills does not speak against its release',
  { skip: noSmallDisk },
  async (t) => {
    const place = new Installation(t);
    Object.assign(place.env, { DISK_RESERVE_MB: '0', DRILL_INTERVAL_MS: '0' });
    place.release('1.0.0');
    const next = place.release('2.0.0');
    next.addMigration('fill', 'CREATE TABLE filled AS SELECT randomblob(100000000) AS x;', true);
    smallDisk(t, 96 * 1024, place.dataDir);
    place.point('1.0.0');
    const system = await place.start();
    place.point('2.0.0');
    const { code, stderr } = await place.run('reload');
    t.equal(code, 75);
    t.match(
      stderr,
      /(?:notes\/\d{4}_fill\.sql|the migrations) failed, and everything was undone: database or disk is full\. Free some disk, .*Nothing was exchanged: release 1\.0\.0 /,
    );
    t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
    t.strictSame(readCurrent(releasesFolder(place.dataDir)).refused, []);
    t.equal((await place.run('stop')).code, 0);
    resizeDisk(place.dataDir, 1024 * 1024);
    await place.start();
    t.equal((await place.status()).releases.workers.version, '2.0.0');
  },
);

t.test('a migration that does not end is named with its process, which can be killed', async (t) => {
  const hanging = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n';
  const { place } = await deploy(t, (next) => {
    next.write('test/small-app/notes/migrations/0002_hang.sql', `CREATE TABLE hang AS ${hanging};\n`);
  });
  const step = 'migrating main notes/0002_hang.sql, on a copy';
  let killed: number | null | undefined;
  const trial = async () => {
    let pid: number | null | undefined;
    await until(async () => {
      const { events } = await place.status();
      pid = events.find(
        (event) => event.cause === step && event.child === 'dry-run' && event.pid !== killed,
      )?.pid;
      return pid !== undefined;
    }, 'it is told');
    return Number(pid);
  };
  for (const words of [[], ['--release', join(place.folder, 'releases', '2.0.0')]]) {
    const reloading = place.run('reload', ...words);
    const pid = await trial();
    const second = await place.run('reload', ...words);
    t.equal(second.code, 75);
    t.equal(
      second.stderr.trim().split('\n').at(-1),
      `ninelives: A reload is under way: migrating main notes/0002_hang.sql, on a copy. Where that does not end, kill -KILL ${pid} gives it up, and nothing is exchanged`,
    );
    process.kill(pid, 'SIGKILL');
    killed = pid;
    const { code, stderr } = await reloading;
    t.equal(code, 75);
    t.match(
      stderr,
      /The dry run of the migrations: killed by SIGKILL\. Nothing was exchanged: release 1\.0\.0 \([0-9a-f]{16}\) goes on\. That is no fault of the release: reload again\.\n$/,
    );
  }
  t.strictSame(readCurrent(releasesFolder(place.dataDir)).refused, []);
});

t.test('code that no start could run is told as that, and keeps the system down only once', async (t) => {
  const { isRefused, next, place } = await deploy(t, (next) => {
    next.write('package.json', JSON.stringify({ version: '2.0.0', type: 'module' }));
  });
  await isRefused(t, 78, /This database has notes\/0001_\w+\.sql, which this release does not have/);
  next.write(MODULE, 'const = 1;');
  const manifest = { version: '2.0.1', type: 'module', ninelives: { app: MODULE } };
  next.write('package.json', JSON.stringify(manifest));
  t.equal((await place.run('stop')).code, 0);
  t.equal((await place.launch().ended()).code, 78);
  const { because } = await (await place.start()).ready();
  t.match(because, /^what is on the disk was refused: Release 2\.0\.1 \(\w+\) cannot be loaded: /);
  t.equal((await place.status()).releases.workers.version, '1.0.0');
});

t.test('a start on a full disk serves what can be read', async (t) => {
  const folder = temporaryFolder(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    t.comment('skipped: no file system can be mounted here');
    return;
  }
  // Those that were registered later end before.
  t.teardown(() => execFileSync('umount', ['-l', folder]));
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const settings = { DISK_RESERVE_MB: '0', WORKERS: '1', SPARE_WORKERS: '0' };
  const first = await start(t, settings, dataDir);
  t.equal((await request(`${first.url}/note`, { method: 'POST', body: noteOf('kept') })).status, 201);
  await first.stop();
  try {
    writeFileSync(join(folder, 'filling'), Buffer.alloc(64 * 1024 * 1024));
  } catch (error) {
    t.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
  const again = await start(t, settings, dataDir);
  t.equal((await request(`${again.url}/note/kept`)).status, 200);
  t.equal((await request(`${again.url}/note`, { method: 'POST', body: noteOf('none') })).status, 507);
  const same = await command(['reload'], { DATA_DIR: dataDir });
  t.equal(same.code, 0, same.stderr);
  t.match(same.stdout, /^nothing changed: /);
});
