import { readFileSync } from 'node:fs';

const KIB = 1024;

/** @returns the resident bytes of a process that does not tell them itself; undefined where /proc does not either */
export function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) * KIB;
  } catch {
    return undefined;
  }
}
