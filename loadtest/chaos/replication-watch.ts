import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { request } from '../../src/testing/request.ts';

const INTERVAL_MS = 100;

/** The state of the replication that the system shows. */
export interface Shown {
  readonly state: string;
  readonly lagMs: number;
  /** Last confirmation of the main database; 0 before the first. */
  readonly confirmedAtMs: number;
}

/**
 * Watches the state of the replication that the running system shows, and its use of the disk. While the system does
 * not answer, as during a restart, the last state counts. States: running → stopped (`stop`).
 */
export class ReplicationWatch {
  readonly #url: () => string;
  readonly #dataDir: string;
  readonly #onLook: (shown: Shown) => void;
  #shown: Shown = { state: 'unknown', lagMs: 0, confirmedAtMs: 0 };
  #diskMaxBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @param url of the API, called at each look; no valid URL while the system starts */
  constructor(url: () => string, dataDir: string, onLook: (shown: Shown) => void) {
    this.#url = url;
    this.#dataDir = dataDir;
    this.#onLook = onLook;
    void this.#look();
  }

  get shown(): Shown {
    return this.#shown;
  }

  /** The most disk that the WAL and the backlog took at any time. */
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
    // Not there yet, or just removed.
  }
  return sumBytes;
}

function sizeBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
