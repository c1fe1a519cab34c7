import { spawnSync } from 'node:child_process';

const INSTALL_TIMEOUT_MS = 300_000;

/** Why a test of the long tier is skipped: it installs the tools of others and takes minutes. False when it is to run. */
export const longTier: string | false = process.env.LONG_TESTS === '1' ? false : 'only with LONG_TESTS=1';

/** @returns false when packages are installed in a folder; else why the test is skipped, for tap's `skip` */
export function cannotInstall(command: string, args: readonly string[], folder: string): string | false {
  const { status } = spawnSync(command, args, { cwd: folder, stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS });
  return status === 0 ? false : `${command} ${args.join(' ')}: not to be had`;
}

/** @returns false when a program is there; else why a test is skipped, for tap's `skip` */
export function missing(program: string): string | false {
  const { error } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  return error ? `${program} is not installed` : false;
}
