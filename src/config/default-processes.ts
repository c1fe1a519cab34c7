import { availableParallelism, totalmem } from 'node:os';

/** Less than this is little memory: a machine of 512 MB has less, one of 1 GB has more. */
const LITTLE_MEMORY_BYTES = 768 * 1024 * 1024;

/** The defaults of WORKERS and SPARE_WORKERS. */
export interface DefaultProcesses {
  readonly workers: number;
  readonly spares: number;
}

/**
 * One worker for each processor, and one spare; with little memory, one worker and no spare.
 * @param memoryBytes the memory that this system may use
 */
export function defaultProcesses(
  memoryBytes = usableMemoryBytes(totalmem(), process.constrainedMemory()),
  processors = availableParallelism(),
): DefaultProcesses {
  return memoryBytes < LITTLE_MEMORY_BYTES ? { workers: 1, spares: 0 } : { workers: processors, spares: 1 };
}

/** @param limitBytes the limit of a container or a systemd unit; 0, or more than `totalBytes`, when there is none */
export function usableMemoryBytes(totalBytes: number, limitBytes: number): number {
  return limitBytes > 0 ? Math.min(totalBytes, limitBytes) : totalBytes;
}
