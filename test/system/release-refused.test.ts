import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { command } from '../cli/command.ts';
import { noteOf, request } from '../support/http.ts';
import { Installation } from '../support/installation.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { deploy } from './release-refused-fixture.ts';

t.test('what cannot be taken over is refused, and what fails as it serves goes back', async (t) => {
  const { place, next, isRefused } = await deploy(t, (next) => {
    next.replace('src/messages/messages.ts', 'CHILD_PROTOCOL = 1', 'CHILD_PROTOCOL = 2');
  });

  await t.test('a release with other messages between its processes needs a restart', async (t) => {
    await isRefused(t, 84, /Release 2\.0\.0 \([0-9a-f]{16}\) has other messages between its processes/);
    next.replace('src/messages/messages.ts', 'CHILD_PROTOCOL = 2', 'CHILD_PROTOCOL = 1');
  });

  await t.test('a release whose worker fails as soon as it serves goes back', async (t) => {
    next.replace(
      'src/worker/main.ts',
      '  runtime.ready();',
      '  runtime.ready();\n  setImmediate(() => process.abort());',
    );
    const { code, stderr } = await place.run('reload');
    t.equal(code, 70);
    t.match(
      stderr,
      /Its processes failed [2-9] times as soon as they served: killed by SIGABRT\. Everything went back to release 1\.0\.0 /,
    );
    const { releases, status } = await place.status();
    t.same([releases.writer.version, releases.workers.version, status.ready], ['1.0.0', '1.0.0', true]);
  });
});

t.test('the units of an installation with a link name the link, not the folder of a release', async (t) => {
  const place = new Installation(t);
  place.release('1.0.0');
  place.point('1.0.0');
  place.env.PORT = '8099';
  const folder = join(place.folder, 'units');
  const { code, stderr } = await place.run('install-service', '--user', 'daemon', '--dir', folder);
  t.equal(code, 0, stderr);
  const unit = readFileSync(join(folder, 'ninelives.service'), 'utf8');
  const command = /^ExecStart=(\S+) (\S+) start$/m.exec(unit);
  t.equal(command?.[2], join(place.link, 'src', 'bin.js'));
  t.equal(command?.[1], join(place.link, 'node_modules', '.bin', 'node'));
  t.equal(/^WorkingDirectory=(.*)$/m.exec(unit)?.[1], place.folder);
  t.equal(/^Environment=DATA_DIR=(.*)$/m.exec(unit)?.[1], place.dataDir);
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
