import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Stage } from './stage.ts';

const COMMAND_TIMEOUT_MS = 120_000;

export interface CommandEnd {
  readonly code: number | null;
  /** Everything that it printed. */
  readonly output: string;
}

/** Runs the operator's `reload` on the stage's system and resolves when it has ended. */
export async function reload(stage: Stage): Promise<CommandEnd> {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [join(stage.deployment.root, 'src/bin.js'), 'reload'], {
    cwd: stage.dataDir,
    env: { PATH, HOME, DATA_DIR: stage.dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMAND_TIMEOUT_MS,
    signal: stage.signal,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
