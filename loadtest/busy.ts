import { availableParallelism } from 'node:os';
import type { Measurement } from './measurement.ts';
import { summarize } from './process-sampler.ts';

const SHOWN_FROM_PERCENT = 10;
const FULL_FROM_PERCENT = 90;
const MACHINE_FULL_FROM_PERCENT = 92;

/** @returns which processes were busy, such as `worker-1 71 %, load generator 65 %, writer 40 %`; the busiest first */
export function busyInWords({ processes }: Measurement): string {
  const shown = summarize(processes).filter(({ cpuPercent }) => cpuPercent >= SHOWN_FROM_PERCENT);
  return shown.map(({ name, cpuPercent }) => `${name} ${Math.round(cpuPercent)} %`).join(', ');
}

/** @returns how busy all cores were, with the server, the load generator and others; undefined if unknown */
export function machinePercent({ cpu, durationMs }: Measurement): number | undefined {
  if (cpu.serverMs === undefined || cpu.otherMs === undefined) return undefined;
  return (100 * (cpu.serverMs + cpu.clientMs + cpu.otherMs)) / (durationMs * availableParallelism());
}

/** @returns what limited a measurement, as far as processor times show it */
export function limitInWords(measurement: Measurement): string {
  const full = summarize(measurement.processes).filter(({ cpuPercent }) => cpuPercent >= FULL_FROM_PERCENT);
  const machine = machinePercent(measurement);
  if (machine !== undefined && machine >= MACHINE_FULL_FROM_PERCENT) {
    const { clientMs, serverMs = 0, otherMs = 0 } = measurement.cpu;
    const all = clientMs + serverMs + otherMs;
    const share = (ms: number) => `${Math.round((100 * ms) / all)} %`;
    return `all cores were busy: the server with ${share(serverMs)} of the time, the load generator with ${share(clientMs)}, other programs with ${share(otherMs)}`;
  }
  if (full.length > 0) return `${full.map(({ name }) => name).join(' and ')} filled a core`;
  if (measurement.cpu.serverMs === undefined) return 'nobody here knows what the server did';
  return 'no process filled a core: the requests waited, for the disk or for each other';
}
