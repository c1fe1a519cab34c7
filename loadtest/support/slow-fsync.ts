import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./slow-fsync.c', import.meta.url));

/**
 * Makes the library that slows each fsync of a process down, as a network disk does.
 * @returns its path, or undefined where there is no compiler, or no preloading
 */
export function compileSlowFsync(folder: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const library = join(folder, 'slow-fsync.so');
  for (const compiler of ['cc', 'gcc']) {
    try {
      const args = ['-shared', '-fPIC', '-O2', '-o', library, SOURCE, '-ldl'];
      execFileSync(compiler, args, { stdio: 'ignore' });
      return library;
    } catch {
      // The next one, or none.
    }
  }
  return undefined;
}

/** @returns what slows a process and its children down; without a delay too, so that nothing else differs */
export function slowFsyncEnv(library: string, delayUs: number): NodeJS.ProcessEnv {
  return { LD_PRELOAD: library, SLOW_FSYNC_US: String(delayUs) };
}
