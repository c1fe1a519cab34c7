import { http } from '../platform/node-http.ts';
import { WalIndex, type WalPosition } from '../sqlite/wal-index.ts';
import type { Confirmer, ConfirmerOptions } from './confirmer.ts';
import { LTX_GENERATION } from './history/segment.ts';
import { databasePath, ltxSocketPath, syncIntervalMs } from './litestream-config.ts';
import type { LitestreamLine } from './log-line.ts';

/** How long Litestream may take for one upload before it reports a failure; whole seconds. */
const SYNC_TIMEOUT_S = 30;
const ANSWER_TIMEOUT_MS = (SYNC_TIMEOUT_S + 5) * 1000;

interface Watched {
  readonly database: string;
  readonly path: string;
  walIndex: WalIndex | undefined;
  confirmed: WalPosition | undefined;
}

/**
 * Asks Litestream 0.5 through its control socket how far the replica is. It first reads where the WAL of a database
 * ends, then asks Litestream to ship what it has and to answer when that is done. So everything before that end is in
 * the replica. It asks about a database only when that has changed.
 *
 * States: off → asking about each database at the sync interval (`start`) → off (`stop`).
 */
export class LtxConfirmer implements Confirmer {
  readonly #options: ConfirmerOptions;
  readonly #socketPath: string;
  readonly #agent = new (http().Agent)({ keepAlive: true });
  #isOn = false;

  constructor(options: ConfirmerOptions) {
    this.#options = options;
    this.#socketPath = ltxSocketPath(options.config.DATA_DIR);
  }

  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    const { config, databases } = this.#options;
    for (const database of databases) {
      const path = databasePath(config.DATA_DIR, database);
      void this.#watch({ database, path, walIndex: undefined, confirmed: undefined });
    }
  }

  stop(): void {
    this.#isOn = false;
    this.#agent.destroy();
  }

  onLine({ level, shown }: LitestreamLine): void {
    if (level === 'error') this.#options.onFailed(String(shown.fields.error ?? shown.message));
  }

  async #watch(watched: Watched): Promise<void> {
    const paceMs = syncIntervalMs(this.#options.config);
    while (this.#isOn) {
      const startMs = performance.now();
      try {
        await this.#confirm(watched);
      } catch (error) {
        if (this.#isOn) this.#options.onFailed((error as Error).message);
      }
      const waitMs = Math.max(0, startMs + paceMs - performance.now());
      await new Promise((resolve) => setTimeout(resolve, waitMs).unref());
    }
  }

  async #confirm(watched: Watched): Promise<void> {
    const position = positionOf(watched);
    if (!position || isSame(position, watched.confirmed)) return;
    const body = { path: watched.path, wait: true, timeout: SYNC_TIMEOUT_S };
    const { txid, replicated_txid } = await this.#ask('POST', '/sync', body);
    // Litestream ships a large backlog in several steps, and also reads a large WAL in several.
    if (Number(replicated_txid) < Number(txid)) return;
    const now = positionOf(watched);
    if (now?.salt === position.salt) {
      const query = new URLSearchParams({ path: watched.path });
      const { databases } = await this.#ask('GET', `/debug/sync-status?${query}`);
      const [known] = databases as { last_synced_wal_offset?: number }[];
      if ((known?.last_synced_wal_offset ?? 0) < position.offsetBytes) return;
    }
    watched.confirmed = position;
    if (this.#isOn) {
      const { salt, offsetBytes } = position;
      this.#options.onConfirmed({
        database: watched.database,
        generation: LTX_GENERATION,
        salt,
        offsetBytes,
      });
    }
  }

  #ask(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const sent = http().request(
        { socketPath: this.#socketPath, method, path, agent: this.#agent, timeout: ANSWER_TIMEOUT_MS },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('error', reject);
          response.on('end', () => {
            try {
              const answer = JSON.parse(text) as Record<string, unknown>;
              if (response.statusCode === 200) resolve(answer);
              else reject(new Error(String(answer.error ?? response.statusCode)));
            } catch (error) {
              reject(error);
            }
          });
        },
      );
      sent.on('timeout', () =>
        sent.destroy(new Error(`Litestream says nothing for ${ANSWER_TIMEOUT_MS / 1000} s`)),
      );
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  }
}

function positionOf(watched: Watched): WalPosition | undefined {
  try {
    watched.walIndex ??= new WalIndex(watched.path);
    return watched.walIndex.readSettled();
  } catch {
    // The writer has not made the WAL yet, or is in the middle of a commit.
    return undefined;
  }
}

function isSame(a: WalPosition, b: WalPosition | undefined): boolean {
  return a.salt === b?.salt && a.offsetBytes === b.offsetBytes;
}
