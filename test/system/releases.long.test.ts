import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import type { ReleaseName, SystemSnapshot } from '../../src/messages/snapshot.ts';
import { readCurrent, writeCurrent } from '../../src/supervisor/release/current.js';
import { releasesFolder, storeRelease } from '../../src/supervisor/release/store.js';
import { cleanEnv, type LogLine } from '../../src/testing/running-system.ts';
import { until } from '../../src/testing/wait.ts';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { bare } from '../support/bare.ts';
import { noteOf, request } from '../support/http.ts';
import { Installation } from '../support/installation.ts';
import { temporaryFolder } from '../support/system.ts';

function versionsOf({ primary, writer, workers }: Record<'primary' | 'writer' | 'workers', ReleaseName>) {
  return [primary, writer, workers].map(({ version }) => version);
}

t.test(
  'a link that is moved on is the next release, and there is a way back, which lasts, also when its folder is gone',
  async (t) => {
    const place = new Installation(t);
    place.release('1.0.0');
    place.release('2.0.0');
    place.point('1.0.0');
    const system = await place.start();
    const before = await place.status();
    t.strictSame(versionsOf(before.releases), ['1.0.0', '1.0.0', '1.0.0']);
    t.equal(before.onDisk, null);
    t.equal(before.releases.previous, null);

    place.point('2.0.0');
    const between = await place.status();
    t.strictSame(versionsOf(between.releases), ['1.0.0', '1.0.0', '1.0.0'], 'a link alone changes nothing');
    t.match(
      between.onDisk,
      /^2\.0\.0 \([0-9a-f]{16}\) in .*\/releases\/2\.0\.0, which does not run: ninelives reload brings it in$/,
    );
    const reloaded = await place.run('reload');
    t.equal(reloaded.code, 0, reloaded.stderr);
    t.match(
      reloaded.stdout,
      /^reloaded: 1\.0\.0 \([0-9a-f]{16}\) → 2\.0\.0 \([0-9a-f]{16}\): writer, tally, worker-1\nthe primary still runs 1\.0\.0 \([0-9a-f]{16}\); restart when convenient\n$/,
    );
    const after = await place.status();
    t.strictSame(versionsOf(after.releases), ['1.0.0', '2.0.0', '2.0.0']);
    t.equal(after.releases.previous?.version, '1.0.0');
    t.equal(after.releases.rollbackProblem, null);
    const ready = (await request(`${system.url}/ready?verbose`)).json.releases as Record<string, string>;
    const { hash } = after.releases.workers;
    t.strictSame(
      { ...ready, litestream: hash },
      { litestream: hash, writer: hash, tally: hash, 'worker-1': hash },
    );
    const metrics = (await request(`${system.url}/metrics`)).text;
    t.equal(metrics.includes(`ninelives_process_release{child="worker-1",release="${hash}"} 1`), true);

    const back = await place.run('rollback');
    t.equal(back.code, 0, back.stderr);
    t.strictSame(versionsOf((await place.status()).releases), ['1.0.0', '1.0.0', '1.0.0']);
    await system.stop();
    const rebooted = await place.start();
    const { because } = await rebooted.ready();
    t.equal(because, 'what is on the disk was refused: it was rolled back');
    t.strictSame(versionsOf((await place.status()).releases), ['1.0.0', '1.0.0', '1.0.0']);
    place.point('1.0.0');
    rmSync(join(place.folder, 'releases', '2.0.0'), { recursive: true });
    const again = await place.run('rollback');
    t.equal(again.code, 0, again.stderr);
    t.strictSame(
      versionsOf((await place.status()).releases),
      ['1.0.0', '2.0.0', '2.0.0'],
      'of a release only its packages have to be there',
    );
  },
);

t.test(
  'a reload brings settings in, and tells before it exchanges anything which ones need a restart',
  async (t) => {
    const place = new Installation(t);
    place.release('1.0.0');
    place.point('1.0.0');
    place.settings('PUBLIC_URL=https://one.example\nWRITE_QUEUE_MAX=500\n');
    const system = await place.start();
    const location = async (id: string) => (await request(`${system.url}/openapi.json`)).text.includes(id);
    t.equal(await location('https://one.example'), true);
    const { children } = await place.status();

    place.settings('PUBLIC_URL=https://two.example\nDRILL_INTERVAL_MS=0\nAWS_SECRET_ACCESS_KEY=topsecret\n');
    const refused = await place.run('reload');
    t.equal(refused.code, 84);
    t.equal(refused.stderr.includes('topsecret'), false);
    t.match(
      refused.stderr,
      /AWS_SECRET_ACCESS_KEY, DRILL_INTERVAL_MS have changed, which a reload cannot bring in\. Restart the system .* Nothing was exchanged: release 1\.0\.0 \([0-9a-f]{16}\) goes on\./,
    );
    const pids = (of: SystemSnapshot['children']) => of.map(({ name, pid }) => [name, pid]);
    t.strictSame(pids((await place.status()).children), pids(children), 'nothing was exchanged');

    place.settings('PUBLIC_URL=https://two.example\n');
    const reloaded = await place.run('reload');
    t.equal(reloaded.code, 0, reloaded.stderr);
    t.match(
      reloaded.stdout,
      /^nothing changed: 1\.0\.0 \([0-9a-f]{16}\) runs, as before; .*\nsettings that were changed: PUBLIC_URL, WRITE_QUEUE_MAX\n$/,
    );
    t.equal(await location('https://two.example'), true);
    place.settings('WRITE_QUEUE_MAX=none\n');
    const wrong = await place.run('reload');
    t.equal(wrong.code, 78);
    t.match(wrong.stderr, /WRITE_QUEUE_MAX: expected a whole number/);
  },
);

t.test('what somebody chooses for the next start is taken, also where it was refused', async (t) => {
  const place = new Installation(t);
  place.release('1.0.0');
  const bad = place.release('2.0.0');
  place.point('1.0.0');
  const first = await place.start();
  await first.stop();

  bad.prepend('src/worker/main.ts', "throw new Error('this one is broken');");
  place.point('2.0.0');
  const failed = await place.launch().ended();
  t.equal(failed.code, 70);
  const { refused } = readCurrent(releasesFolder(place.dataDir));
  t.equal(refused.length, 1);
  t.match(refused[0]?.reason, /this one is broken/);
  const again = await place.start();
  const line = again.lines.find(({ msg }) => msg.startsWith('ready: '));
  t.match(line?.because, /^what is on the disk was refused: .*this one is broken/);
  t.strictSame(versionsOf((await place.status()).releases), ['1.0.0', '1.0.0', '1.0.0']);
  await again.stop();

  bad.replace('src/worker/main.ts', "import './main-chaos.ts';\n", '');
  const chosen = await place.run('reload', '--release', bad.root);
  t.equal(chosen.code, 0, chosen.stderr);
  t.match(chosen.stdout, /The next start takes 2\.0\.0 \([0-9a-f]{16}\) from /);
  place.point('1.0.0');
  await place.start();
  t.strictSame(versionsOf((await place.status()).releases), ['2.0.0', '2.0.0', '2.0.0']);
  t.match(
    (await place.run('reload', '--release', bad.root)).stdout,
    `\na start after a stop or a reboot takes the code in ${place.link} again: deploy this release there\n`,
  );
});

t.test(
  'what was deployed to a stopped system runs at last, however often its start has failed',
  async (t) => {
    const place = new Installation(t);
    for (const version of ['1.0.0', '2.0.0']) place.release(version);
    place.point('1.0.0');
    const first = await place.start();
    await first.stop();
    place.point('2.0.0');
    const busy = createServer().listen(0, '127.0.0.1');
    await once(busy, 'listening');
    place.env.PORT = String((busy.address() as AddressInfo).port);
    for (const _ of [1, 2]) t.equal((await place.launch().ended()).code, 69);
    busy.close();
    await place.start();
    t.strictSame(versionsOf((await place.status()).releases), ['2.0.0', '2.0.0', '2.0.0']);
  },
);

t.test('code that the databases refused runs when a restore has brought older ones back', async (t) => {
  const place = new Installation(t);
  place.release('1.0.0');
  place.release('2.0.0').addMigration('later', 'CREATE TABLE later (x INTEGER) STRICT;', false);
  place.settings(`REPLICA_URL=file:${join(temporaryFolder(t), 'replica')}\n`);
  place.point('1.0.0');
  await (await place.start()).stop();
  const before = new Date().toISOString();
  place.point('2.0.0');
  await (await place.start()).stop();
  place.point('1.0.0');
  const refused = await place.launch().ended();
  t.equal(refused.code, 78);
  t.equal(readCurrent(releasesFolder(place.dataDir)).refused[0]?.code, 'migration_mismatch');
  const restored = await place.run('restore', '--in-place', '--at', before, '--yes');
  t.equal(restored.code, 0, restored.stderr);
  await place.start();
  t.strictSame(versionsOf((await place.status()).releases), ['1.0.0', '1.0.0', '1.0.0']);
});

t.test(
  'an exchange that was cut in half gives way to what served before: where its migration fails, and by a rollback',
  async (t) => {
    const place = new Installation(t);
    place.release('1.0.0');
    const next = place.release('2.0.0');
    next.addMigration('fails', 'CREATE TABLE notes (x INTEGER) STRICT;', true);
    place.point('1.0.0');
    const system = await place.start();
    place.point('2.0.0');
    system.kill('SIGKILL');
    await system.ended();
    const store = releasesFolder(place.dataDir);
    const { hash } = await storeRelease(next.root, store, [place.dataDir]);
    writeCurrent(store, { writer: hash });
    const failed = place.launch();
    t.equal((await failed.ended()).code, 75, 'a service manager starts it again');
    t.match(
      failed.transcript(),
      /fails\.sql failed, and everything was undone: .*\. The next start runs release 1\.0\.0 \(/,
    );
    const served = await place.start();
    t.strictSame(versionsOf((await place.status()).releases), ['1.0.0', '1.0.0', '1.0.0']);

    const works = place.release('3.0.0');
    works.addMigration('works', 'CREATE TABLE works (x INTEGER) STRICT;', true);
    served.kill('SIGKILL');
    await served.ended();
    const other = await storeRelease(works.root, store, [place.dataDir]);
    writeCurrent(store, { writer: other.hash, previous: hash });
    await place.start();
    t.strictSame(versionsOf((await place.status()).releases), ['1.0.0', '3.0.0', '1.0.0']);
    t.match(
      (await place.run('rollback')).stdout,
      /^reloaded: 1\.0\.0 \(\w+\), the writer 3\.0\.0 \(\w+\) → 1\.0\.0 \(/,
    );
    t.strictSame(versionsOf((await place.status()).releases), ['1.0.0', '1.0.0', '1.0.0']);
  },
);

t.test('signals that come during a reload lead to one more', async (t) => {
  const place = new Installation(t);
  place.release('1.0.0');
  place.point('1.0.0');
  const system = await place.start();
  system.kill('SIGHUP');
  for (let count = 0; count < 3; count += 1) {
    await system.waitFor(({ msg }) => msg.startsWith('writer ready, replaces'));
    system.kill('SIGHUP');
  }
  const isDone = ({ msg }: { msg: string }) => msg.startsWith('reload done');
  await system.waitFor(isDone);
  const from = system.lines.findIndex(isDone) + 1;
  await system.waitFor(isDone, from);
  const { stdout } = await place.run('events', '--json');
  t.equal(stdout.split('\n').filter((text) => text.includes('"kind":"reload"')).length, 2);
});

t.test('background processes that a release adds or drops are started and ended', async (t) => {
  const place = new Installation(t);
  place.release('1.0.0');
  const next = place.release('2.0.0');
  next.replace('test/small-app/notes/feature.ts', "name: 'tally',", "name: 'postman',");
  place.point('1.0.0');
  const system = await place.start();
  place.point('2.0.0');
  const reloaded = await place.run('reload');
  t.equal(reloaded.code, 0, reloaded.stderr);
  t.match(reloaded.stdout, /: writer, worker-1, postman, tally\n/);
  const { children } = await place.status();
  t.strictSame(
    children.map(({ name, state }) => `${name} ${state}`),
    ['litestream ready', 'writer ready', 'worker-1 ready', 'postman ready'],
  );
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
});

t.test('everything goes back when a background process that a release adds does not come up', async (t) => {
  const place = new Installation(t);
  place.release('1.0.0');
  const next = place.release('2.0.0');
  next.replace('test/small-app/notes/feature.ts', "name: 'tally',", "name: 'postman',");
  // It passes the trial, which ends at standby.
  next.replace(
    'test/small-app/notes/tally.ts',
    'return async () => {',
    "return async () => {\n  if (db.open) throw new Error('this one is broken');",
  );
  place.point('1.0.0');
  const system = await place.start();
  place.point('2.0.0');
  const refused = await place.run('reload');
  t.equal(refused.code, 70);
  t.match(refused.stderr, /this one is broken.* Everything went back to release 1\.0\.0 /);
  const { releases, children, status } = await place.status();
  t.strictSame(versionsOf(releases), ['1.0.0', '1.0.0', '1.0.0']);
  t.strictSame(
    children.map(({ name, state }) => `${name} ${state}`),
    ['litestream ready', 'writer ready', 'worker-1 ready', 'tally ready'],
  );
  t.strictSame(
    status.degraded.map(({ name }) => name).filter((name) => name !== 'replication'),
    [],
  );
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('x') })).status, 201);
  t.equal(readCurrent(releasesFolder(place.dataDir)).refused.length, 1, 'the next start does not take it');
});

t.test('a log that is written beside the code is none of it', async (t) => {
  const dataDir = temporaryFolder(t);
  const { root } = new Deployment(join(temporaryFolder(t), 'app'), DEPLOYED_APP);
  const log = join(root, 'output.txt');
  const fd = openSync(log, 'a');
  const env = {
    ...cleanEnv(),
    DATA_DIR: dataDir,
    PORT: '0',
    WORKERS: '1',
    SPARE_WORKERS: '0',
    LOG_FORMAT: 'json',
  };
  const options = { cwd: root, env };
  const program = join(root, 'src/bin.js');
  const system = spawn(...bare(process.execPath, [program, 'start']), {
    ...options,
    stdio: ['ignore', fd, fd],
  });
  const ended = once(system, 'exit');
  t.teardown(async () => {
    system.kill();
    await ended;
  });
  const ready = () =>
    readFileSync(log, 'utf8')
      .split('\n')
      .find((line) => line.includes('"ready: http'));
  await until(() => ready() !== undefined, 'it is ready');
  const { url } = JSON.parse(ready() ?? '');
  const run = promisify(execFile);
  let isDone = false;
  const reload = run(...bare(process.execPath, [program, 'reload']), options).finally(() => (isDone = true));
  while (!isDone) await request(`${url}/note/none`);
  t.match((await reload).stdout, /^nothing changed: /);
  const { stdout } = await run(...bare(process.execPath, [program, 'status', '--json']), options);
  t.equal(JSON.parse(stdout).onDisk, null);
});

t.test('after a stop, a deploy and a start the way back leads to what ran before', async (t) => {
  const place = new Installation(t);
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) place.release(version);
  place.point('1.0.0');
  const first = await place.start();
  place.point('2.0.0');
  t.equal((await place.run('reload')).code, 0);
  await first.stop();
  place.point('3.0.0');
  await place.start();
  await until(async () => (await place.status()).releases.previous !== null, 'the way back is judged');
  const { previous, rollbackProblem } = (await place.status()).releases;
  t.same([previous?.version, rollbackProblem], ['2.0.0', null]);
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
