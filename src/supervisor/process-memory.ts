import { readFileSync } from 'node:fs';

const KIB = 1024;

/** @returns the resident bytes of a process that does not report them; undefined where /proc does not tell them */
export function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) * KIB;
  } catch {
    return undefined;
  }
}
