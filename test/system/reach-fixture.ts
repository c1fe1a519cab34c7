import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { command } from '../cli/command.ts';
import { noteOf, request } from '../support/http.ts';
import { notesIn } from '../support/notes.ts';
import { start, temporaryFolder, until } from '../support/system.ts';

/** Writes, drills, loses the disk, restores by hand and by a start, and asks the doctor. */
export async function drive(t: Test, env: NodeJS.ProcessEnv): Promise<void> {
  const dataDir = temporaryFolder(t);
  const settings = { REPLICA_SYNC_INTERVAL_MS: '200', DRILL_INTERVAL_MS: '0', ...env };
  const system = await start(t, settings, dataDir);
  const headers = { Durability: 'replicated' };
  for (const id of ['a', 'b'])
    t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf(id), headers })).status, 201);
  const drill = await command(['verify'], { DATA_DIR: dataDir });
  t.equal(drill.code, 0, drill.stderr);
  const troubles = async () => (await request(`${system.url}/ready?verbose`)).json.degraded ?? [];
  // A store that answers now and then with 503 may be told for a moment.
  await until(async () => (await troubles()).length === 0, 'nothing is wrong', 20_000);
  await system.stop();
  rmSync(dataDir, { recursive: true });
  const elsewhere = temporaryFolder(t);
  const where = { ...settings, DATA_DIR: elsewhere, PORT: '0' };
  const doctor = await command(['doctor'], where);
  t.equal(doctor.code, 0, doctor.stdout);
  const file = join(elsewhere, 'restored.db');
  const restore = await command(['restore', '--to', file], where);
  t.equal(restore.code, 0, restore.stderr);
  t.strictSame(notesIn(file), ['a', 'b']);
  const next = await start(t, settings, elsewhere);
  t.strictSame(notesIn(join(next.dataDir, 'main.db')), ['a', 'b']);
  await next.stop();
}
