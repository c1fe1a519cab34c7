import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Installation } from '../support/installation.ts';
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
