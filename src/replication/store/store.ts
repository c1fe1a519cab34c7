import type { Config } from '../../config/config.ts';

/** A file of a replica. */
export interface StoredFile {
  /** Below the replica. */
  readonly path: string;
  readonly sizeBytes: number;
  /** When it was stored, in milliseconds since the epoch, on the store's clock. */
  readonly storedMs: number;
}

/** A small file as it was read. */
export interface Stored {
  readonly text: string;
  /** Names this content to `write`. */
  readonly tag: string;
}

/** Where a replica is, asked for what no Litestream can be asked. Paths are below the replica; what cannot be done throws. */
export interface ReplicaStore {
  /** @returns the names directly in a folder, or in the replica itself where that is empty, from one on where the store can begin there; none where it is missing */
  names(folder: string, from?: string): Promise<readonly string[]>;
  /** Lists all below a folder. */
  files(folder: string): AsyncIterable<StoredFile>;
  /** @returns undefined where there is none */
  read(path: string): Promise<Stored | undefined>;
  /** @returns whether there is such a file, with anything in it */
  has(path: string): Promise<boolean>;
  /**
   * @param over what is to be replaced, as it was read; undefined where there was none; `any` whatever is there
   * @returns whether it was written; not where something else stands there by now
   */
  write(path: string, text: string, over: Stored | undefined | 'any'): Promise<boolean>;
  remove(path: string): Promise<void>;
}

/** The code where something else answers in a store's place, such as a page to log in on. */
export const NO_STORE = 'NoStore';

/** What a store has refused; `NoCredentialProviders` where there is nothing to ask it with. */
export class StoreRefusal extends Error {
  readonly code: string;
  /** Of its answer; undefined where it was not asked. */
  readonly status: number | undefined;

  constructor(code: string, status: number | undefined, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
    this.status = status;
  }
}

export interface StoreOptions {
  readonly config: Config;
  /** Holds the credentials, or tells where they are to be had. */
  readonly env: NodeJS.ProcessEnv;
  /** How long one request may take, with what it is repeated for. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
