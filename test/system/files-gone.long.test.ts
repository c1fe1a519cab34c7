import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { notesIn } from '../support/notes.ts';
import { temporaryFolder } from '../support/system.ts';
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
