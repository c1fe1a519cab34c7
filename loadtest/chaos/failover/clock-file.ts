import { renameSync, writeFileSync } from 'node:fs';

/** What a preloaded module reads of one system's clock, in milliseconds. */
export class ClockFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    this.set(0);
  }

  /** Atomically, because processes read it at any time. */
  set(ms: number): void {
    writeFileSync(`${this.path}.new`, String(ms));
    renameSync(`${this.path}.new`, this.path);
  }
}
