import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Test } from 'tap';
import { noteOf, request } from '../support/http.ts';
import { type RunningSystem, startPair } from '../support/system.ts';

export const NOTES = 300;
export const PAGE_BYTES = 4096;

/** A system whose notes are in main.db itself and in the replica, not only in the WAL. */
export async function systemWithNotes(t: Test, settings: NodeJS.ProcessEnv): Promise<RunningSystem> {
  // On a machine that does other things too, nothing shall be refused for that.
  const env = { OVERLOAD_LAG_MS: '0', REPLICATED_TIMEOUT_MS: '60000', ...settings };
  const first = await startPair(t, env);
  for (let note = 0; note < NOTES; note += 20) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        request(`${first.url}/note`, { method: 'POST', body: noteOf(`${note + index}`) }),
      ),
    );
    t.ok(answers.every(({ status }) => status === 201));
  }
  await first.stop();
  // Closing the last connection checkpoints.
  new Sqlite(join(first.dataDir, 'main.db')).exec('PRAGMA wal_checkpoint(TRUNCATE)').close();
  const system = await startPair(t, env, first.dataDir);
  // Its replica begins a new generation after a foreign checkpoint: wait until that holds everything.
  const probe = { method: 'POST', body: noteOf('0'), headers: { Durability: 'replicated' } };
  t.equal((await request(`${system.url}/note`, probe)).status, 200);
  return system;
}

/** Overwrites everything but the first page, as a bad disk would. */
export function damage(dataDir: string): void {
  const path = join(dataDir, 'main.db');
  const pages = Math.floor(statSync(path).size / PAGE_BYTES);
  const file = openSync(path, 'r+');
  for (let page = 1; page < pages; page += 1)
    writeSync(file, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, page * PAGE_BYTES);
  closeSync(file);
}
