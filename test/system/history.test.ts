import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { start } from '../support/system.ts';
import { told } from '../support/told.ts';
import { degraded, notesIn, placeOf, session, write } from './history-fixture.ts';

t.test('a folder of earlier that is put back gets what the replica has beyond it', async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a');
  const earlier = join(place.folder, 'earlier');
  cpSync(place.dataDir, earlier, { recursive: true });
  await session(t, place, 'b');
  await session(t, place, 'c');
  rmSync(place.dataDir, { recursive: true });
  renameSync(earlier, place.dataDir);
  const system = await start(t, place.env, place.dataDir);
  t.strictSame(notesIn(join(place.dataDir, 'main.db')), ['a', 'b', 'c']);
  t.equal(told(place.dataDir).length, 1);
  await write(system, 'd');
  await system.stop();
  const next = await start(t, place.env, place.dataDir);
  t.equal(told(place.dataDir).length, 1, 'the next start finds nothing more');
  t.ok('history' in (await degraded(next)), 'and nothing has proven it yet');
});
