import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { notesIn } from '../support/notes.ts';
import { launch, temporaryFolder } from '../support/system.ts';
import { losesNoWrite, startWithReplica, write } from './files-gone-fixture.ts';

for (const name of ['main.db', 'main.db-shm']) {
  t.test(`a ${name} that is removed while it is in use loses no write, and all is well again`, (t) =>
    losesNoWrite(t, name),
  );
}

t.test(
  'a database that another is moved over stays; a WAL that is removed just before a stop is put back by it',
  async (t) => {
    const dataDir = temporaryFolder(t);
    const system = await startWithReplica(t, dataDir);
    await write(system, 'before');
    renameSync(join(dataDir, 'media.db'), join(dataDir, 'main.db'));
    await write(system, 'in what nobody finds');
    await system.waitFor(({ msg }) => msg.startsWith('healed'));
    t.strictSame(notesIn(join(dataDir, 'main.db')), ['before', 'in what nobody finds']);
    await write(system, 'last');
    rmSync(join(dataDir, 'main.db-wal'));
    await system.stop();
    t.strictSame(notesIn(join(dataDir, 'main.db')), ['before', 'in what nobody finds', 'last']);
  },
);

t.test('a data folder that is moved ends the system, with where it is now', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'data'));
  const system = await startWithReplica(t, join(folder, 'data'));
  await write(system, 'before');
  renameSync(join(folder, 'data'), join(folder, 'elsewhere'));
  t.equal((await system.ended()).code, 73);
  t.equal(
    system.stderr.trim().split('\n').at(-1),
    `ninelives: ${join(folder, 'data')} was moved to ${join(folder, 'elsewhere')} while it was in use. All that was written is there: put aside what stands at ${join(folder, 'data')} by now, if anything, move it back, and start again`,
  );
  t.strictSame(notesIn(join(folder, 'elsewhere', 'main.db')), ['before']);
});

t.test(
  'what a running system keeps in run is made again when it is removed, its lock included',
  async (t) => {
    const dataDir = temporaryFolder(t);
    const system = await startWithReplica(t, dataDir);
    await write(system, 'before');
    const from = system.lines.length;
    for (const name of ['litestream.yml', 'releases', 'lock'])
      rmSync(join(dataDir, 'run', name), { recursive: true });
    await system.waitFor(({ msg }) => msg.startsWith('the lock on the data folder was removed'), from);
    const second = launch(t, { PORT: '0' }, dataDir);
    t.equal((await second.ended()).code, 73);
    for (const name of ['litestream', 'writer', 'worker-1']) await system.killChild(name);
    await write(system, 'later', { Durability: 'replicated' });
    await system.stop();
    t.strictSame(notesIn(join(dataDir, 'main.db')), ['before', 'later']);
  },
);

t.test('a data folder that is removed gets its databases back, and the system ends', async (t) => {
  const dataDir = join(temporaryFolder(t), 'data');
  mkdirSync(dataDir);
  const system = await startWithReplica(t, dataDir);
  await write(system, 'before');
  // Lest it put them back between these steps.
  const writer = system.pidOf('writer');
  process.kill(writer, 'SIGSTOP');
  for (const name of ['main', 'media'])
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(dataDir, `${name}.db${suffix}`));
  // The rest takes longer, and Litestream adds to it.
  renameSync(dataDir, `${dataDir}.removed`);
  process.kill(writer, 'SIGCONT');
  t.equal((await system.ended()).code, 73);
  t.strictSame(notesIn(join(dataDir, 'main.db')), ['before']);
});
