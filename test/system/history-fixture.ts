import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { noteOf, request } from '../support/http.ts';
import { type RunningSystem, start, temporaryFolder } from '../support/system.ts';

/** A data folder whose replica is beside it, not in it. */
export interface Place {
  readonly folder: string;
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;
}

export function placeOf(t: Test, env: NodeJS.ProcessEnv = {}): Place {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  return { folder, dataDir, env: { REPLICA_URL: `file:${join(folder, 'replica')}`, ...env } };
}

export async function write(system: RunningSystem, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const answer = await request(`${system.url}/note`, {
      method: 'POST',
      body: noteOf(id),
      headers: { Durability: 'replicated' },
    });
    if (answer.status !== 201) throw new Error(answer.text);
  }
}

export async function degraded(system: RunningSystem): Promise<Record<string, string>> {
  const { json } = await request(`${system.url}/ready?verbose`);
  return Object.fromEntries(
    json.degraded.map(({ name, reason }: { name: string; reason: string }) => [name, reason]),
  );
}

/** Starts one, writes to it and stops it. */
export async function session(t: Test, { dataDir, env }: Place, ...ids: readonly string[]): Promise<void> {
  const system = await start(t, env, dataDir);
  await write(system, ...ids);
  await system.stop();
}
