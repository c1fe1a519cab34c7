import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { notesIn } from '../support/notes.ts';
import { temporaryFolder } from '../support/system.ts';
import { losesNoWrite, startWithReplica, write } from './files-gone-fixture.ts';

t.test('a main.db-wal that is removed while it is in use loses no write, and all is well again', (t) =>
  losesNoWrite(t, 'main.db-wal'),
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
