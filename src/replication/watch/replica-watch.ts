import type { Config } from '../../config/config.ts';
import type { Confirmation, SegmentRef } from '../../messages/confirmation.ts';
import { readMark } from '../history/mark.ts';
import { unmountedReason } from '../history/mount.ts';
import { ReplicaListing } from '../history/replica-listing.ts';
import { liveGeneration } from '../history/sidecar.ts';
import { databasePath } from '../litestream-config.ts';
import { advised } from '../store/remedies.ts';
import { NO_STORE, StoreRefusal } from '../store/store.ts';
import { GrownGenerations } from './grown.ts';
import { type Finding, lookAtReplica } from './look.ts';

/** A finding shows within fifteen seconds. Requests to a store may cost money; reading a folder does not. */
const INTERVALS_MS = { s3: 10_000, file: 2000 } as const;
/** The interval while confirmations wait for the result. */
const URGENT_INTERVAL_MS = 1000;
/** A generation that nothing is uploaded to is looked at once in this many intervals. */
const GROWN_INTERVALS = 6;
/** How many of the newest found segments are looked for again; one page of a listing has a thousand. */
const FOUND_MAX = 200;

export interface ReplicaWatchOptions {
  readonly config: Config;
  /** Holds the credentials. */
  readonly env: NodeJS.ProcessEnv;
  readonly databases: readonly string[];
  /** Whether the mark names a generation as compared with the database. */
  readonly isCompared: (database: string, generation: string) => boolean;
  /** Whether anything waits for the replica to be whole. */
  readonly isUrgent: () => boolean;
  /** Gets the findings of each look; none when all is as it should be. */
  readonly onLook: (findings: readonly Finding[]) => void;
  /** Gets why the replica could not be read, for people; undefined when it was. */
  readonly onRefused: (reason: string | undefined) => void;
}

/**
 * Looks at the names in the replica at an interval, for changes that this system has not made. States and who moves
 * them: off → on (`start`) → off (`stop`). The result of a look that began before the last `start` or `stop` is
 * dropped.
 */
export class ReplicaWatch {
  readonly #options: ReplicaWatchOptions;
  /** By database, as `LookOptions.uploaded`. */
  readonly #uploaded = new Map<string, readonly SegmentRef[]>();
  readonly #own = new Set<string>();
  readonly #grown: GrownGenerations;
  #timer: NodeJS.Timeout | undefined;
  /** Counts starts and stops. */
  #turn = 0;

  constructor(options: ReplicaWatchOptions) {
    this.#options = options;
    this.#grown = new GrownGenerations(GROWN_INTERVALS * INTERVALS_MS[options.config.replica.type]);
  }

  start(): void {
    this.stop();
    this.#schedule();
  }

  stop(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Schedules the next look anew, since `isUrgent` may have changed. */
  wake(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#schedule();
  }

  /** Notes what Litestream says it has uploaded; segments of an earlier generation are forgotten. */
  confirmed({ database, segment }: Confirmation): void {
    if (!segment) return;
    const before = this.#uploaded.get(database) ?? [];
    const same = before.filter(({ generation }) => generation === segment.generation);
    this.#uploaded.set(database, [...same, segment]);
  }

  /** Forgets the uploads: a new generation begins. */
  forget(database: string): void {
    this.#uploaded.delete(database);
  }

  /** Whether any upload is noted that a look can find again. */
  hasUploaded(database: string): boolean {
    return this.#uploaded.has(database);
  }

  /** Notes the generations that Litestream writes now, before it is killed and may begin others. */
  noteOwn(): void {
    for (const database of this.#options.databases) {
      const generation = liveGeneration(databasePath(this.#options.config.DATA_DIR, database));
      if (generation !== undefined) this.#own.add(`${database}/${generation}`);
    }
  }

  #schedule(): void {
    const { config, isUrgent } = this.#options;
    const intervalMs = isUrgent() ? URGENT_INTERVAL_MS : INTERVALS_MS[config.replica.type];
    this.#timer = setTimeout(() => void this.#look(), intervalMs).unref();
  }

  async #look(): Promise<void> {
    const { onLook, onRefused } = this.#options;
    this.#timer = undefined;
    const turn = this.#turn;
    try {
      const findings = await this.#find();
      if (turn !== this.#turn) return;
      onRefused(undefined);
      onLook(findings);
    } catch (error) {
      if (turn === this.#turn) onRefused(advised(error));
    }
    if (turn === this.#turn) this.#schedule();
  }

  async #find(): Promise<readonly Finding[]> {
    const { DATA_DIR, replica } = this.#options.config;
    const unmounted = replica.type === 'file' ? unmountedReason(readMark(DATA_DIR), replica) : undefined;
    if (unmounted !== undefined)
      return [{ kind: 'away', text: `The replica ${replica.url} is away: ${unmounted}.` }];
    const found = await Promise.all(this.#options.databases.map((database) => this.#lookAt(database)));
    return found.flatMap((finding) => finding ?? []);
  }

  async #lookAt(database: string): Promise<Finding | undefined> {
    const { config, env, isCompared } = this.#options;
    const isKnown = (generation: string) =>
      this.#own.has(`${database}/${generation}`) || isCompared(database, generation);
    const listing = new ReplicaListing({ config, database, env });
    const uploaded = this.#uploaded.get(database) ?? [];
    const isWritten = (generation: string) =>
      liveGeneration(databasePath(config.DATA_DIR, database)) === generation;
    const finding = await this.#unlessNoStore(
      database,
      lookAtReplica({
        database,
        replicaUrl: config.replica.url,
        listing,
        hasGrown: async (generation) =>
          !isWritten(generation) && (await this.#grown.hasGrown(database, generation, listing)),
        uploaded,
        isOwn: (generation) => {
          if (!isKnown(generation)) this.noteOwn();
          return isKnown(generation);
        },
      }),
    );
    if (!finding) this.#found(database, uploaded);
    return finding;
  }

  /** All was there. Segments of earlier WALs are looked for no more: from now on the retention may remove them. */
  #found(database: string, found: readonly SegmentRef[]): void {
    const kept = found.filter(({ index }) => index === found.at(-1)?.index).slice(-FOUND_MAX);
    const left = this.#uploaded.get(database)?.filter((each) => kept.includes(each) || !found.includes(each));
    if (left) this.#uploaded.set(database, left);
  }

  /** If something else answers in the store's place, it took the uploads and kept none: that is a loss. */
  async #unlessNoStore(
    database: string,
    looking: Promise<Finding | undefined>,
  ): Promise<Finding | undefined> {
    try {
      return await looking;
    } catch (error) {
      const isNoStore = error instanceof StoreRefusal && error.code === NO_STORE;
      if (!isNoStore || !this.hasUploaded(database)) throw error;
      const text = advised(
        new Error(`${this.#options.config.replica.url}: ${error.message}`, { cause: error }),
      );
      return { kind: 'loss', database, text };
    }
  }
}
