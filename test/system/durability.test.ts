import { join } from 'node:path';
import t from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import { restoreByHand } from '../support/restore.ts';
import { start } from '../support/system.ts';
import { PATIENT, writeReplicated } from './durability-fixture.ts';

t.test(
  'what was acknowledged as replicated is in the folder when everything else dies at once',
  async (t) => {
    const system = await start(t, PATIENT);
    const { ids } = await writeReplicated(system.url, 3);
    await system.destroy();
    const db = openReader(join(restoreByHand(t, system.dataDir), 'main.db'));
    const restored = db.prepare('SELECT id FROM notes').pluck().all();
    db.close();
    t.same(restored.sort(), ids.sort());
  },
);
