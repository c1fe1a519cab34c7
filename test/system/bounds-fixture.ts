import { noteOf, request } from '../support/http.ts';
import type { RunningSystem } from '../support/system.ts';

export function write(system: RunningSystem, id: string) {
  return request(`${system.url}/note`, { method: 'POST', body: noteOf(id) });
}

export async function degraded(system: RunningSystem, name: string): Promise<string | undefined> {
  const { status, json } = await request(`${system.url}/ready?verbose`);
  if (status !== 200) throw new Error(`it is not ready: ${status}`);
  return json.degraded.find((trouble: { name: string }) => trouble.name === name)?.reason;
}
