import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { noteOf, request } from '../support/http.ts';
import { notesIn } from '../support/notes.ts';
import { type RunningSystem, start, temporaryFolder, until } from '../support/system.ts';

/** As a client that repeats what was not answered: everything but the port goes down meanwhile. */
export async function write({ url }: RunningSystem, id: string, headers = {}): Promise<void> {
  const send = () => request(`${url}/note`, { method: 'POST', body: noteOf(id), headers });
  const isDone = async () => [200, 201].includes((await send().catch(() => ({ status: 0 }))).status);
  await until(isDone, `${id} is written`, 60_000);
}

export async function startWithReplica(t: Test, dataDir: string): Promise<RunningSystem> {
  return start(t, { REPLICA_URL: `file:${temporaryFolder(t)}`, DRILL_INTERVAL_MS: '0' }, dataDir);
}

/**
 * Removes a file of a database while it is in use, as often as told, and looks for each write of before, meanwhile and
 * later.
 */
export async function losesNoWrite(t: Test, name: string, times = 1): Promise<void> {
  const dataDir = temporaryFolder(t);
  const system = await startWithReplica(t, dataDir);
  await write(system, 'before');
  const meanwhile = Array.from({ length: times }, (_, time) => `in what nobody finds ${time}`);
  for (const id of meanwhile) {
    const from = system.lines.length;
    rmSync(join(dataDir, name));
    await write(system, id);
    await system.waitFor(({ msg }) => msg.startsWith('healed'), from);
  }
  await write(system, 'later');
  await write(system, 'there', { Durability: 'replicated' });
  system.kill('SIGKILL');
  await system.ended();
  t.strictSame(notesIn(join(dataDir, 'main.db')), ['before', ...meanwhile, 'later', 'there']);
}
