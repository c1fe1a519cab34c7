/** What this process has of the memory. */
export interface OwnMemory {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
}

let last: OwnMemory = { rssBytes: 0, heapUsedBytes: 0 };

/** @returns this process's memory; without a free descriptor it cannot be read, and the last figures stand */
export function ownMemory(): OwnMemory {
  try {
    const { rss, heapUsed } = process.memoryUsage();
    last = { rssBytes: rss, heapUsedBytes: heapUsed };
  } catch {
    // EMFILE or ENFILE: no reason to end.
  }
  return last;
}
