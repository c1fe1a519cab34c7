import type { Config } from '../../config/config.ts';

/** A file of a replica. */
export interface StoredFile {
  /** Relative to the replica. */
  readonly path: string;
  readonly sizeBytes: number;
  /** When it was stored, in milliseconds since the epoch, on the store's clock. */
  readonly storedMs: number;
}

/** A small file as it was read. */
export interface Stored {
  readonly text: string;
  /** Identifies this content, for the condition of a `write`. */
  readonly tag: string;
}

/** The files of a replica, without Litestream. Paths are relative to the replica. What cannot be done throws. */
export interface ReplicaStore {
  /**
   * @param folder empty for the replica itself
   * @param from the first name wanted, for a store that can begin there
   * @returns the names directly in a folder; none where it is missing
   */
  names(folder: string, from?: string): Promise<readonly string[]>;
  /** Lists all below a folder. */
  files(folder: string): AsyncIterable<StoredFile>;
  /** @returns undefined where there is none */
  read(path: string): Promise<Stored | undefined>;
  /** @returns whether there is such a file, with anything in it */
  has(path: string): Promise<boolean>;
  /**
   * @param over the content to replace, as it was read; undefined where there was none; `any` for whatever is there
   * @returns whether it was written; false where something else is there by now
   */
  write(path: string, text: string, over: Stored | undefined | 'any'): Promise<boolean>;
  remove(path: string): Promise<void>;
}

/** The code for something else that answers in a store's place, such as a login page. */
export const NO_STORE = 'NoStore';

/** A store's refusal of a request; `NoCredentialProviders` where there are no credentials to ask with. */
export class StoreRefusal extends Error {
  readonly code: string;
  /** HTTP status of the answer; undefined where the store was not asked. */
  readonly status: number | undefined;

  constructor(code: string, status: number | undefined, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
    this.status = status;
  }
}

export interface StoreOptions {
  readonly config: Config;
  /** Holds the credentials, or says where to get them. */
  readonly env: NodeJS.ProcessEnv;
  /** How long one request may take, its repetitions included. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
