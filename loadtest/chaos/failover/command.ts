import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { cleanEnv } from '../../../src/testing/running-system.ts';
import type { Stage } from '../stage.ts';
import type { Member } from './member.ts';

/** Runs a command of one system to its end. @param args the command's words */
export async function runCommand(
  stage: Stage,
  { dataDir, env }: Pick<Member, 'dataDir' | 'env'>,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const { root, nodePath } = stage.invocation;
  const child = spawn(nodePath, [join(root, 'src/bin.js'), ...args], {
    cwd: dataDir,
    env: { ...cleanEnv(), ...env, DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [exitCode, stdout, stderr] = await Promise.all([code, text(child.stdout), text(child.stderr)]);
  return { code: exitCode, stdout, stderr };
}
