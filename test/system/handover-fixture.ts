import { command } from '../commands/command.ts';

export async function handOver(dataDir: string, env: NodeJS.ProcessEnv) {
  return command(['handover'], { ...env, DATA_DIR: dataDir });
}
