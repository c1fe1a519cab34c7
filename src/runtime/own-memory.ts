/** The memory that this process uses. */
export interface OwnMemory {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
}

let last: OwnMemory = { rssBytes: 0, heapUsedBytes: 0 };

/** @returns this process's memory; the last figures when it cannot be read, for lack of a free descriptor */
export function ownMemory(): OwnMemory {
  try {
    const { rss, heapUsed } = process.memoryUsage();
    last = { rssBytes: rss, heapUsedBytes: heapUsed };
  } catch {
    // EMFILE or ENFILE: no reason to end the process.
  }
  return last;
}
