import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** The unit of times in /proc: USER_HZ, which Linux keeps at 100 whatever the kernel's own tick is. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;
const OWN_TITLE = /^ninelives (\S+)/;

/** What /proc says about a process. */
export interface ProcessReading {
  readonly pid: number;
  readonly parentPid: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/**
 * @param rootPid a process of this machine
 * @returns the processor time that it and its living descendants have used so far, or undefined where there is no
 *   /proc
 */
export function cpuTimeMs(rootPid: number): number | undefined {
  const family = readFamily(rootPid);
  return family.length === 0 ? undefined : family.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
}

/** @returns the processor time of this process's ended children; 0 where there is no /proc */
export function endedChildrenCpuMs(): number {
  if (process.platform !== 'linux') return 0;
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

/** @returns the time that all cores of the machine were not idle */
export function machineCpuTimeMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

/** @returns a process and its living descendants; none where there is no /proc */
export function readFamily(rootPid: number): ProcessReading[] {
  const processes = readProcesses();
  return [...processes.values()].filter(({ pid }) => descendsFrom(pid, rootPid, processes));
}

/** @returns the name of a process, such as `worker-1` or `litestream`; undefined when it is gone */
export function nameOf(pid: number): string | undefined {
  try {
    const [command = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    // A process that has just ended, or not yet begun, has no command line.
    return OWN_TITLE.exec(command)?.[1] || command.split('/').at(-1) || undefined;
  } catch {
    return undefined;
  }
}

function descendsFrom(pid: number, rootPid: number, processes: ReadonlyMap<number, ProcessReading>): boolean {
  for (let at: number | undefined = pid; at !== undefined; at = processes.get(at)?.parentPid) {
    if (at === rootPid) return true;
  }
  return false;
}

function readProcesses(): Map<number, ProcessReading> {
  const processes = new Map<number, ProcessReading>();
  if (process.platform !== 'linux') return processes;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      // The name is in brackets and may contain anything; proc_pid_stat(5) numbers the fields from 1.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const field = (number: number) => Number(fields[number - 3]);
      processes.set(Number(entry), {
        pid: Number(entry),
        parentPid: field(4),
        cpuMs: (field(14) + field(15)) * TICK_MS,
        rssBytes: field(24) * PAGE_BYTES,
      });
    } catch {
      // The process has ended since it was listed.
    }
  }
  return processes;
}
