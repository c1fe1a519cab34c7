import type { Config } from '../../config/config.ts';
import type { SegmentRef } from '../../messages/confirmation.ts';
import { openStore } from '../store/open.ts';
import type { ReplicaStore } from '../store/store.ts';
import { compareSegments, newestTxid, segmentFile, segmentOf, txidName } from './segment.ts';

/** A store that says nothing for so long is out of reach. */
const ANSWER_TIMEOUT_MS = 3000;
/** A folder of Litestream 0.5 in a bucket; elsewhere they are below `ltx`. */
const LTX_LEVEL = /^[0-9a-f]{4}$/;

export interface ReplicaListingOptions {
  readonly config: Config;
  readonly database: string;
  /** Holds the credentials. */
  readonly env: NodeJS.ProcessEnv;
}

/** Reads names in the replica of one database; never times. */
export class ReplicaListing {
  readonly #store: ReplicaStore;
  readonly #database: string;

  constructor({ config, database, env }: ReplicaListingOptions) {
    this.#store = openStore({ config, env, timeoutMs: ANSWER_TIMEOUT_MS });
    this.#database = database;
  }

  /**
   * @returns the names of the generations that Litestream 0.3 has made; none when the replica can be reached and has none
   * @throws Error why the replica cannot be read, or is silent
   */
  async generations(): Promise<readonly string[]> {
    const names = await this.#names('generations', undefined);
    return names.filter((name) => /^[0-9a-f]{16}$/.test(name));
  }

  /**
   * @returns the generations, and what Litestream 0.5 has uploaded, named by its last transaction; undefined where it has
   *   uploaded nothing
   * @throws Error as `generations`
   */
  async states(): Promise<{ readonly names: readonly string[]; readonly txid: number | undefined }> {
    const [own, below] = await Promise.all([this.#names('', undefined), this.#names('ltx', undefined)]);
    const levels = [...own.filter((name) => LTX_LEVEL.test(name)), ...below.map((level) => `ltx/${level}`)];
    const files = await Promise.all(levels.map((level) => this.#names(level, undefined)));
    const txid = newestTxid(files.flat())?.txid;
    const names = await this.generations();
    return { names: txid === undefined ? names : [...names, txidName(txid)], txid };
  }

  /**
   * @param from where to begin, itself included; undefined for all
   * @returns the segments of a generation in their order
   * @throws Error as `generations`
   */
  async segments(
    generation: string,
    from: Omit<SegmentRef, 'generation'> | undefined,
  ): Promise<readonly SegmentRef[]> {
    const names = await this.#names(`generations/${generation}/wal`, from && segmentFile(from));
    return names
      .flatMap((name) => segmentOf(generation, name) ?? [])
      .filter((segment) => from === undefined || compareSegments(segment, from) >= 0)
      .sort(compareSegments);
  }

  /**
   * @returns whether a segment is there, listed or not
   * @throws Error as `generations`
   */
  async has(segment: SegmentRef): Promise<boolean> {
    const path = `${this.#database}/generations/${segment.generation}/wal/${segmentFile(segment)}`;
    return withinTime(this.#store.has(path));
  }

  /**
   * @returns the names of the snapshots of a generation
   * @throws Error as `generations`
   */
  async snapshots(generation: string): Promise<readonly string[]> {
    const names = await this.#names(`generations/${generation}/snapshots`, undefined);
    return names.filter((name) => name.endsWith('.snapshot.lz4'));
  }

  /** @returns the names directly in a folder of this replica, from one on where the store can begin there */
  async #names(folder: string, from: string | undefined): Promise<readonly string[]> {
    return withinTime(
      this.#store.names([this.#database, folder].filter((part) => part !== '').join('/'), from),
    );
  }
}

/** A disk on a network may hang for ever. */
async function withinTime<Value>(pending: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`it says nothing for ${ANSWER_TIMEOUT_MS / 1000} s`)),
    ANSWER_TIMEOUT_MS,
  );
  try {
    return await Promise.race([pending, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
