import { noteOf, request } from '../support/http.ts';
import type { RunningSystem } from '../support/system.ts';

export const REPLICATED = { Durability: 'replicated' };

export async function write(system: RunningSystem, id: string): Promise<number> {
  const options = { method: 'POST', body: noteOf(id), headers: REPLICATED };
  return (await request(`${system.url}/note`, options)).status;
}
