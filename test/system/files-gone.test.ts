import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { noteOf, request } from '../support/http.ts';
import { notesIn } from '../support/notes.ts';
import { type RunningSystem, start, temporaryFolder, until } from '../support/system.ts';

/** As a client that repeats what was not answered: everything but the port goes down meanwhile. */
async function write({ url }: RunningSystem, id: string, headers = {}): Promise<void> {
  const send = () => request(`${url}/note`, { method: 'POST', body: noteOf(id), headers });
  const isDone = async () => [200, 201].includes((await send().catch(() => ({ status: 0 }))).status);
  await until(isDone, `${id} is written`, 60_000);
}

async function startWithReplica(t: Test, dataDir: string): Promise<RunningSystem> {
  return start(t, { REPLICA_URL: `file:${temporaryFolder(t)}`, DRILL_INTERVAL_MS: '0' }, dataDir);
}

for (const name of ['main.db-wal', 'main.db', 'main.db-shm']) {
  t.test(`a ${name} that is removed while it is in use loses no write, and all is well again`, async (t) => {
    const dataDir = temporaryFolder(t);
    const system = await startWithReplica(t, dataDir);
    await write(system, 'before');
    rmSync(join(dataDir, name));
    await write(system, 'in what nobody finds');
    await system.waitFor(({ msg }) => msg.startsWith('healed'));
    await write(system, 'later');
    await write(system, 'there', { Durability: 'replicated' });
    system.kill('SIGKILL');
    await system.ended();
    t.strictSame(notesIn(join(dataDir, 'main.db')), ['before', 'in what nobody finds', 'later', 'there']);
  });
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

t.test('a data folder that is removed gets its databases back, and the system ends', async (t) => {
  const dataDir = join(temporaryFolder(t), 'data');
  mkdirSync(dataDir);
  const system = await startWithReplica(t, dataDir);
  await write(system, 'before');
  for (const name of ['main', 'media'])
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(dataDir, `${name}.db${suffix}`));
  // The rest takes longer, and Litestream adds to it.
  renameSync(dataDir, `${dataDir}.removed`);
  t.equal((await system.ended()).code, 73);
  t.strictSame(notesIn(join(dataDir, 'main.db')), ['before']);
});

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
