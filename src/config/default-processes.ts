import { availableParallelism, totalmem } from 'node:os';

/** A machine of 512 MB has less, one of a GB more. */
const LITTLE_MEMORY_BYTES = 768 * 1024 * 1024;

/** How many processes serve where no setting says so. */
export interface DefaultProcesses {
  readonly workers: number;
  readonly spares: number;
}

/**
 * One worker a processor and a spare; where memory is little, one worker alone.
 * @param memoryBytes that this system may use
 */
export function defaultProcesses(
  memoryBytes = usableMemoryBytes(totalmem(), process.constrainedMemory()),
  processors = availableParallelism(),
): DefaultProcesses {
  return memoryBytes < LITTLE_MEMORY_BYTES ? { workers: 1, spares: 0 } : { workers: processors, spares: 1 };
}

/** @param limitBytes of a container or a unit; 0, or more than there is, where there is none */
export function usableMemoryBytes(totalBytes: number, limitBytes: number): number {
  return limitBytes > 0 ? Math.min(totalBytes, limitBytes) : totalBytes;
}
