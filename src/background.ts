import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { appConfigOf } from './app-settings.ts';
import type { AppConfig } from './contract/settings.ts';
import type { Logger } from './log.ts';
import type { BackgroundInput } from './runtime/background.ts';
import type { Runtime } from './runtime/runtime.ts';
import { openReader } from './sqlite/open.ts';
import { WriterClient } from './writer/client.ts';
import { writerSocketPath } from './writer/protocol.ts';

/** What a round of a background process gets. Public, as index.ts. */
export interface Round {
  /** Read-only connection to the feature's database. */
  readonly db: Database;
  /** Sends one of the feature's commands, and resolves when it is committed and on disk. */
  readonly write: (name: string, input: unknown) => Promise<unknown>;
  readonly config: AppConfig;
  readonly log: Logger;
  /** Where the system listens. */
  readonly url: string;
}

export interface RepeatOptions {
  /** The feature's name. */
  readonly feature: string;
  /** Its database, without `.db`. */
  readonly database: string;
  /** From the end of one round to the begin of the next. */
  readonly everyMs: number;
}

/**
 * Makes the `run` of a background process that does the same again and again. A round that fails is logged, and the next
 * one comes all the same; one that is under way ends before the process does.
 */
export function repeat(
  { feature, database, everyMs }: RepeatOptions,
  round: (context: Round) => Promise<void>,
): (runtime: Runtime) => Promise<void> {
  return async (runtime) => {
    const { log, role } = runtime;
    const config = await appConfigOf(runtime.config);
    const drained = Promise.withResolvers<void>();
    let isDraining = false;
    runtime.onMessage((message) => {
      if (message.kind !== 'drain') return;
      isDraining = true;
      drained.resolve();
    });
    const writer = new WriterClient({
      socketPath: writerSocketPath(config.DATA_DIR),
      name: role,
      deadlineMs: config.WRITE_DEADLINE_MS,
      queueMax: config.WRITE_QUEUE_MAX,
      log,
    });
    const db = openReader(join(config.DATA_DIR, `${database}.db`));
    // Until it has its place it connects to nothing and changes nothing.
    const { url } = (await runtime.standby()) as BackgroundInput;
    writer.connect();
    runtime.ready();
    const write = (name: string, input: unknown) => writer.write(`${feature}.${name}`, input);
    while (!isDraining) {
      await round({ db, write, config, log, url }).catch((err) =>
        log.error({ err }, `${role} has failed, and tries again in ${everyMs} ms`),
      );
      await Promise.race([drained.promise, new Promise((resolve) => setTimeout(resolve, everyMs).unref())]);
    }
    writer.close();
    log.flush(() => process.exit(0));
  };
}
