import { command } from '../cli/command.ts';
import { request } from '../support/http.ts';
import type { RunningSystem } from '../support/system.ts';

export async function linkOf({ dataDir }: RunningSystem): Promise<URL> {
  const printed = await command(['ops'], { DATA_DIR: dataDir });
  if (printed.code !== 0) throw new Error(printed.stderr);
  return new URL(printed.stdout.trim());
}

export async function makeKey({ dataDir }: RunningSystem): Promise<void> {
  const args = ['keys', 'create', '--name', 'admin', '--scope', 'admin'];
  const { code, stderr } = await command(args, { DATA_DIR: dataDir });
  if (code !== 0) throw new Error(stderr);
}

export async function exchange(url: string, token: string) {
  return request(`${url}/ops/session`, { method: 'POST', body: { token } });
}
