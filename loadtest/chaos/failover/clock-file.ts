import { renameSync, writeFileSync } from 'node:fs';

/** The file that a preloaded module reads one system's clock offset from, in milliseconds. */
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
