import { request } from '../support/http.ts';
import type { RunningSystem } from '../support/system.ts';

export function isDrill(line: Record<string, unknown>): boolean {
  return line.drill !== undefined;
}

export async function degraded(system: RunningSystem): Promise<{ name: string; reason: string }[]> {
  return (await request(`${system.url}/ready`)).json.degraded ?? [];
}
