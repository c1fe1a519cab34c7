import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('./slow-fsync.c', import.meta.url));

/**
 * Compiles the library that delays each fsync of a process, as a network disk does.
 * @returns its path, or undefined without a compiler or preloading
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
      // Try the next compiler.
    }
  }
  return undefined;
}

/** @returns the environment that delays each fsync of a process and its children; 0 loads the library, too */
export function slowFsyncEnv(library: string, delayUs: number): NodeJS.ProcessEnv {
  return { LD_PRELOAD: library, SLOW_FSYNC_US: String(delayUs) };
}
