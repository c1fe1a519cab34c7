import type { Config } from '../../config/config.ts';
import type { SegmentRef } from '../../messages/confirmation.ts';
import { openStore } from '../store/open.ts';
import type { ReplicaStore } from '../store/store.ts';
import { compareSegments, newestTxid, segmentFile, segmentOf, txidName } from './segment.ts';

/** A store that does not answer within this time counts as unreachable. */
const ANSWER_TIMEOUT_MS = 3000;
/** Name of a level's folder of Litestream 0.5 in a bucket; in a `file:` replica these folders are below `ltx`. */
const LTX_LEVEL = /^[0-9a-f]{4}$/;

export interface ReplicaListingOptions {
  readonly config: Config;
  readonly database: string;
  /** Holds the credentials. */
  readonly env: NodeJS.ProcessEnv;
}

/** Reads the names of objects in the replica of one database, never their times. */
export class ReplicaListing {
  readonly #store: ReplicaStore;
  readonly #database: string;

  constructor({ config, database, env }: ReplicaListingOptions) {
    this.#store = openStore({ config, env, timeoutMs: ANSWER_TIMEOUT_MS });
    this.#database = database;
  }

  /**
   * @returns the names of the generations of Litestream 0.3; empty when the replica can be reached and has none
   * @throws Error that says why the replica cannot be read, or that it does not answer
   */
  async generations(): Promise<readonly string[]> {
    const names = await this.#names('generations', undefined);
    return names.filter((name) => /^[0-9a-f]{16}$/.test(name));
  }

  /**
   * @returns the generations, with the state that Litestream 0.5 has uploaded, and its last transaction; undefined
   *   where it has uploaded nothing
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
   * @param from the first segment to list; undefined for all
   * @returns the segments of a generation, oldest first
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
   * @returns whether a segment is there, asked for by name: a listing may be late
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

  /** @returns the names directly in a folder of this replica; from `from` on, where the store can begin there */
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
