import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

const POLL_INTERVAL_MS = 20;
const CHUNK_BYTES = 64 * 1024;

/** Reads the lines that others append to a file, as they come, until `stop`. */
export class LogTail {
  readonly #onLine: (text: string) => void;
  readonly #fd: number;
  readonly #timer: NodeJS.Timeout;
  readonly #decoder = new StringDecoder('utf8');
  #offsetBytes: number;
  #rest = '';
  #stopped = false;

  /**
   * @param path an existing file
   * @param fromBytes where to begin
   */
  constructor(path: string, onLine: (text: string) => void, fromBytes = 0) {
    this.#onLine = onLine;
    this.#offsetBytes = fromBytes;
    this.#fd = openSync(path, 'r');
    this.#timer = setInterval(() => this.readNow(), POLL_INTERVAL_MS);
  }

  /** Reads what was appended since the last read. */
  readNow(): void {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    while (!this.#stopped) {
      const readBytes = readSync(this.#fd, chunk, 0, chunk.length, this.#offsetBytes);
      if (readBytes === 0) return;
      this.#offsetBytes += readBytes;
      const lines = (this.#rest + this.#decoder.write(chunk.subarray(0, readBytes))).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#onLine(line);
    }
  }

  /** Stops reading; the lines of the chunk that is being read still come. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    closeSync(this.#fd);
  }
}

/** @returns at most the last `maxBytes` of a file, however large it is */
export function readEnd(path: string, maxBytes: number): string {
  const fd = openSync(path, 'r');
  try {
    const { size: sizeBytes } = fstatSync(fd);
    const end = Buffer.alloc(Math.min(sizeBytes, maxBytes));
    readSync(fd, end, 0, end.length, sizeBytes - end.length);
    return end.toString('utf8');
  } finally {
    closeSync(fd);
  }
}
