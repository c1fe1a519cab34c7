import { openReader } from '../../src/sqlite/open.ts';
import { alertOf, request } from '../support/http.ts';
import type { RunningSystem } from '../support/system.ts';

export const REPLICATED = { Durability: 'replicated' };

export async function write(system: RunningSystem, id: string): Promise<void> {
  const answer = await request(`${system.url}/alert`, {
    method: 'POST',
    body: alertOf(id),
    headers: REPLICATED,
  });
  if (answer.status !== 201) throw new Error(answer.text);
}

/** @returns the ids of the alerts in a database file */
export function alertsIn(path: string): string[] {
  const db = openReader(path);
  try {
    return db.prepare('SELECT movie_id FROM alerts ORDER BY movie_id').pluck().all() as string[];
  } finally {
    db.close();
  }
}
