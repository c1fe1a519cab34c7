import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** The unit of times in /proc: USER_HZ, which Linux keeps at 100 whatever the kernel's own tick is. */
const TICK_MS = 10;

interface ProcessTimes {
  readonly parentPid: number;
  readonly cpuMs: number;
}

/**
 * @param rootPid a process of this machine
 * @returns the processor time that it and its living descendants have used so far, or undefined where there is no
 *   /proc
 */
export function cpuTimeMs(rootPid: number): number | undefined {
  const processes = readProcesses();
  if (processes.size === 0) return undefined;
  let totalMs = 0;
  for (const [pid, { cpuMs }] of processes) if (descendsFrom(pid, rootPid, processes)) totalMs += cpuMs;
  return totalMs;
}

/** @returns the processor time that all cores of the machine have spent on anything but idling */
export function machineCpuTimeMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

function descendsFrom(pid: number, rootPid: number, processes: ReadonlyMap<number, ProcessTimes>): boolean {
  for (let at: number | undefined = pid; at !== undefined; at = processes.get(at)?.parentPid) {
    if (at === rootPid) return true;
  }
  return false;
}

function readProcesses(): Map<number, ProcessTimes> {
  const processes = new Map<number, ProcessTimes>();
  if (process.platform !== 'linux') return processes;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      // The name stands in brackets and may hold anything; proc_pid_stat(5) numbers the fields from 1.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const field = (number: number) => Number(fields[number - 3]);
      processes.set(Number(entry), { parentPid: field(4), cpuMs: (field(14) + field(15)) * TICK_MS });
    } catch {
      // Ended since it was listed.
    }
  }
  return processes;
}
