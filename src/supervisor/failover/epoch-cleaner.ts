import type { Config } from '../../config/config.ts';
import type { Logger } from '../../platform/log.ts';
import { expiredEpochs, removeEpoch } from '../../replication/failover/retention.ts';
import { openStore } from '../../replication/store/open.ts';

const INTERVAL_MAX_MS = 3_600_000;

export interface EpochCleanerOptions {
  /** The configuration whose replica both systems share. */
  readonly config: Config;
  /** Holds the credentials of the store. */
  readonly env: NodeJS.ProcessEnv;
  /** The folder that counts; undefined while this system does not lead, or its own folder does not count yet. */
  readonly data: () => string | undefined;
  readonly log: Logger;
}

/**
 * Removes the folders of epochs that are older than what can be restored. No system will lead again in an epoch before
 * the one that counts, so this does no harm while another system leads. States: off ↔ on (`start`, `stop`).
 */
export class EpochCleaner {
  readonly #options: EpochCleanerOptions;
  #timer: NodeJS.Timeout | undefined;
  #isCleaning = false;

  constructor(options: EpochCleanerOptions) {
    this.#options = options;
  }

  start(): void {
    const intervalMs = Math.min(INTERVAL_MAX_MS, this.#options.config.REPLICA_RETENTION_MS);
    this.#timer = setInterval(() => void this.clean(), intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Resolves when each expired folder is removed; a folder that cannot be removed now is tried again later. */
  async clean(): Promise<void> {
    const { config, env, data, log } = this.#options;
    const current = data();
    if (current === undefined || this.#isCleaning) return;
    this.#isCleaning = true;
    const store = openStore({ config, env });
    try {
      for (const folder of await expiredEpochs(store, { data: current }, config.REPLICA_RETENTION_MS)) {
        const files = await removeEpoch(store, folder);
        log.info(
          { folder, files },
          `removed ${folder} from the replica: nothing of it can be restored any more`,
        );
      }
    } catch (err) {
      log.warn({ err }, 'old epochs of the replica could not be removed; tried again later');
    } finally {
      this.#isCleaning = false;
    }
  }
}
