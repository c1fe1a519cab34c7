import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { processesOf, temporaryFolder } from './system.ts';

/** Starts the system of a test, and fails where that tries what it can. */
const SETPRIV_OF_LITTLE_USE = '#!/bin/sh\nshift 3\n[ "$1" = true ] && exit 1\nexec "$@"\n';

/** @returns the settings of a system whose children the kernel does not end with its primary */
export function withoutDeathSignal(t: Test): NodeJS.ProcessEnv {
  const bin = temporaryFolder(t);
  writeFileSync(join(bin, 'setpriv'), SETPRIV_OF_LITTLE_USE, { mode: 0o755 });
  return { PATH: `${bin}:${process.env.PATH}` };
}

/** @returns those processes of a system that are Node's, but its primary */
export function nodeChildrenOf(dataDir: string): number[] {
  return processesOf(dataDir).filter((pid) => /^ninelives (?!primary)/.test(titleOf(pid)));
}

/** @returns '' for one that is gone */
function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
