import { command } from '../cli/command.ts';
import type { RunningSystem } from '../support/system.ts';

export const OF_OTHERS = ['/', '/note', '/note/x', '/docs', '/openapi.json', '/page/x', '/file/x'];

export async function keyOf(system: RunningSystem, scope: string): Promise<{ Authorization: string }> {
  const made = await command(['keys', 'create', '--name', scope, '--scope', scope], {
    DATA_DIR: system.dataDir,
  });
  return { Authorization: `Bearer ${made.stdout.trim()}` };
}
