import { readFileSync } from 'node:fs';
import type { RunningSystem } from '../../src/testing/running-system.ts';
import { processesOf, until } from '../support/system.ts';

/** The process that has come since, of this name; it stands still from then on. */
export async function stoppedNext(
  system: RunningSystem,
  name: RegExp,
  before: ReadonlySet<number>,
): Promise<number> {
  let next: number | undefined;
  await until(() => {
    next = processesOf(system.dataDir).find((pid) => !before.has(pid) && name.test(titleOf(pid)));
    return next !== undefined;
  }, 'the next one is there');
  process.kill(next!, 'SIGSTOP');
  return next!;
}

/** As `ps` shows it; empty once it is gone. */
export function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
