import { openReader } from '../../src/sqlite/open.ts';
import { noteOf, request } from '../support/http.ts';
import type { RunningSystem } from '../support/system.ts';

export async function write(system: RunningSystem, id: string): Promise<void> {
  const headers = { Durability: 'replicated' };
  const answer = await request(`${system.url}/note`, { method: 'POST', body: noteOf(id), headers });
  if (answer.status !== 201) throw new Error(answer.text);
}

export function notesIn(path: string): string[] {
  const db = openReader(path);
  try {
    return db.prepare('SELECT id FROM notes ORDER BY id').pluck().all() as string[];
  } finally {
    db.close();
  }
}
