import { join } from 'node:path';
import { openReader } from '../../src/sqlite/open.ts';
import { type Answer, noteOf, request } from '../support/http.ts';
import type { RunningSystem } from '../support/system.ts';

export const post = ({ url }: RunningSystem, id: string, key: string, headers: Record<string, string> = {}) =>
  request(`${url}/note`, {
    method: 'POST',
    body: noteOf(id),
    headers: { ...headers, 'Idempotency-Key': key },
  });

export const isReplay = ({ headers }: Answer) => headers['idempotent-replayed'] === 'true';

/** How often each note was put. */
export function versions({ dataDir }: RunningSystem): Record<string, number> {
  const db = openReader(join(dataDir, 'main.db'));
  const rows = db.prepare<[], [string, number]>('SELECT id, version FROM notes').raw().all();
  db.close();
  return Object.fromEntries(rows);
}
