import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { request } from '../../src/testing/request.ts';

const INTERVAL_MS = 100;

/** What the system shows of its replication. */
export interface Shown {
  readonly state: string;
  readonly lagMs: number;
  /** Of the main database; 0 before the first. */
  readonly confirmedAtMs: number;
}

/**
 * Looks all the time at what the running system shows of its replication, and at the disk that it takes. States:
 * running → stopped (`stop`). A system that does not answer, as one that is being restarted, shows what it showed last.
 */
export class ReplicationWatch {
  readonly #url: () => string;
  readonly #dataDir: string;
  readonly #onLook: (shown: Shown) => void;
  #shown: Shown = { state: 'unknown', lagMs: 0, confirmedAtMs: 0 };
  #diskMaxBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @param url of the API, asked for at each look; none while it starts */
  constructor(url: () => string, dataDir: string, onLook: (shown: Shown) => void) {
    this.#url = url;
    this.#dataDir = dataDir;
    this.#onLook = onLook;
    void this.#look();
  }

  get shown(): Shown {
    return this.#shown;
  }

  /** The most that the WAL and what waits for the replica took at a time. */
  get diskMaxBytes(): number {
    return this.#diskMaxBytes;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const url = this.#url();
    const { status, text } = URL.canParse(url)
      ? await request(`${url}/ready?verbose`, 'GET')
      : { status: undefined, text: '' };
    if (this.#isStopped) return;
    if (status === 200) {
      const { state, lagMs, databases } = JSON.parse(text).replication;
      this.#shown = { state, lagMs, confirmedAtMs: databases.main?.confirmed?.atMs ?? 0 };
      this.#onLook(this.#shown);
    }
    this.#diskMaxBytes = Math.max(this.#diskMaxBytes, backlogBytes(this.#dataDir));
    this.#timer = setTimeout(() => void this.#look(), INTERVAL_MS);
  }
}

function backlogBytes(dataDir: string): number {
  let sumBytes = sizeBytes(join(dataDir, 'main.db-wal'));
  const sidecar = join(dataDir, '.main.db-litestream');
  try {
    for (const name of readdirSync(sidecar, { recursive: true, encoding: 'utf8' })) {
      sumBytes += sizeBytes(join(sidecar, name));
    }
  } catch {
    // Not there yet, or just cleared away.
  }
  return sumBytes;
}

function sizeBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
