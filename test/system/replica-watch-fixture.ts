import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { command } from '../cli/command.ts';
import { noteOf, request } from '../support/http.ts';
import { notesIn } from '../support/notes.ts';
import { type RunningSystem, start, temporaryFolder, until } from '../support/system.ts';
import { told } from '../support/told.ts';

/** A system whose replica is beside its data folder. No drill begins by itself. */
export async function systemOf(t: Test, env: NodeJS.ProcessEnv = {}) {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const replica = join(folder, 'replica');
  const system = await start(t, { REPLICA_URL: `file:${replica}`, ...env }, dataDir);
  return { folder, dataDir, replica, generations: join(replica, 'main', 'generations'), system };
}

export function write(system: RunningSystem, id: string, durability = 'replicated') {
  const headers = { Durability: durability };
  return request(`${system.url}/note`, { method: 'POST', body: noteOf(id), headers });
}

export async function historyTrouble(system: RunningSystem): Promise<string | undefined> {
  const { json } = await request(`${system.url}/ready?verbose`);
  return json.degraded.find(({ name }: { name: string }) => name === 'history')?.reason;
}

/** @returns why the system is degraded */
export async function reasonsOf(system: RunningSystem): Promise<string[]> {
  const { json } = await request(`${system.url}/ready?verbose`);
  return (json.degraded ?? []).map(({ reason }: { reason: string }) => reason);
}

/** Waits for what a look tells of. */
export async function toldAfter(dataDir: string, count: number): Promise<string> {
  await until(() => told(dataDir).length > count, 'a look tells of it', 20_000);
  return told(dataDir)[count] ?? '';
}

export async function restoredIds(t: Test, dataDir: string, replica: string): Promise<unknown[]> {
  const file = join(temporaryFolder(t), 'restored.db');
  const ran = await command(['restore', '--to', file], { REPLICA_URL: `file:${replica}`, DATA_DIR: dataDir });
  t.equal(ran.code, 0, ran.stderr);
  return notesIn(file);
}

/**
 * Has a copy of the data folder go on by itself, with one commit of its own.
 * @returns the folder of the generations of its replica
 */
export async function otherHistory(
  t: Test,
  { folder, dataDir }: { readonly folder: string; readonly dataDir: string },
  durability: string,
): Promise<string> {
  const foreign = join(folder, 'foreign');
  // It runs meanwhile, and files of its own come and go: cp copies the others all the same.
  spawnSync('cp', ['-a', dataDir, foreign], { stdio: 'ignore' });
  rmSync(join(foreign, 'run'), { recursive: true });
  const elsewhere = join(folder, 'elsewhere');
  const other = await start(t, { REPLICA_URL: `file:${elsewhere}` }, foreign);
  t.equal((await write(other, 'theirs', durability)).status, 201);
  await other.stop();
  return join(elsewhere, 'main', 'generations');
}
