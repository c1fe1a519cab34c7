import { spawnSync } from 'node:child_process';

/** @returns false when a program is there; else why a test is skipped, for tap's `skip` */
export function missing(program: string): string | false {
  const { error } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  return error ? `${program} is not installed` : false;
}
