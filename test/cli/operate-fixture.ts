import type { Test } from 'tap';
import { like } from '../support/like.ts';
import { command } from './command.ts';

/** @returns every command that the program names */
export async function commandNames(env: NodeJS.ProcessEnv): Promise<string[]> {
  const { stdout } = await command(['--help'], env);
  return [...stdout.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name]) => name as string);
}

/** Asserts that a command tells its use, where it is asked and where it is used otherwise. */
export async function tellsItsUse(t: Test, name: string, env: NodeJS.ProcessEnv): Promise<void> {
  like(t, await command([name, '--help'], env), {
    code: 0,
    stdout: new RegExp(`^Usage: ninelives ${name}`),
  });
  like(t, await command([name, '--no-such-option'], env), {
    code: 64,
    stdout: '',
    stderr: /Usage: ninelives/,
  });
}
