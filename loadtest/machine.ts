import { availableParallelism, cpus, release, totalmem } from 'node:os';
import type { Measurement } from './measurement.ts';

/** Where and when figures were measured; they hold for no other machine. */
export interface Machine {
  readonly cpuModel: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly nodeVersion: string;
  /** ISO 8601. */
  readonly date: string;
}

/** @returns a description of this machine, without its name */
export function describeMachine(): Machine {
  return {
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${release()} ${process.arch}`,
    nodeVersion: process.version,
    date: new Date().toISOString(),
  };
}

/** @returns the same in one line, with how the machine is shared */
export function machineLine({ cpuModel, cores, nodeVersion, date }: Machine): string {
  return `${cpuModel}, ${cores} cores shared by the server and the load generator, nothing pinned, Node ${nodeVersion}, ${date}`;
}

/** Above this share of the machine, other programs distort the figures. */
const NOISE_MAX_PERCENT = 5;

/** @returns a warning when other programs kept the machine busy, else undefined */
export function noiseWarning(measurements: readonly Measurement[], { cores }: Machine): string | undefined {
  const percents = measurements.map(
    ({ cpu, durationMs }) => (100 * (cpu.otherMs ?? 0)) / (durationMs * cores),
  );
  const worst = Math.round(Math.max(0, ...percents));
  if (worst <= NOISE_MAX_PERCENT) return undefined;
  const noisy = percents.filter((percent) => percent > NOISE_MAX_PERCENT).length;
  return `NOISY: other programs took up to ${worst} % of the machine, in ${noisy} of ${percents.length} measurements.`;
}
