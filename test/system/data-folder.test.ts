import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { command } from '../cli/command.ts';
import { requestAt } from '../support/request-at.ts';
import { start, temporaryFolder, until } from '../support/system.ts';
import { write } from './data-folder-fixture.ts';

t.test('no command makes a system where there is none', async (t) => {
  const DATA_DIR = temporaryFolder(t);
  const { code, stderr } = await command(['verify'], { DATA_DIR });
  t.equal(code, 75);
  t.ok(stderr.startsWith(`ninelives: There is no database in ${DATA_DIR}.`), stderr);
  t.same(readdirSync(DATA_DIR), []);
});

t.test('sockets that somebody removes while it runs are made again', async (t) => {
  const system = await start(t, { WORKERS: '1', SPARE_WORKERS: '0' });
  const run = join(system.dataDir, 'run');
  const sockets = ['control.sock', 'writer.sock', 'ops.sock'].map((name) => join(run, name));
  for (const path of sockets) rmSync(path);
  const isClosed = (path: string) =>
    ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777) === 0o600;
  await until(() => sockets.every(isClosed), 'they are there again, for their owner alone');
  t.equal((await requestAt(join(run, 'ops.sock'), '/ready')).status, 200, 'the operator is answered');
  // It connects anew.
  await system.killChild('worker-1');
  t.equal(await write(system, 'socket'), 201);
  t.equal((await command(['status'], { DATA_DIR: system.dataDir })).code, 0);
});
