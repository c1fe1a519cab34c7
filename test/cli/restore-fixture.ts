import { noteOf, request } from '../support/http.ts';
import type { RunningSystem } from '../support/system.ts';

export const REPLICATED = { Durability: 'replicated' };

export async function write(system: RunningSystem, id: string): Promise<void> {
  const answer = await request(`${system.url}/note`, {
    method: 'POST',
    body: noteOf(id),
    headers: REPLICATED,
  });
  if (answer.status !== 201) throw new Error(answer.text);
}
