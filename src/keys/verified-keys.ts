import { hash } from 'node:crypto';
import type { Caller } from '../contract/feature.ts';
import { CommitWatch } from '../sqlite/commit-watch.ts';
import type { Database } from '../sqlite/open.ts';
import type { KeyScope } from './schema.ts';

/** Many more than call within a moment; each takes about 300 bytes. */
const KEYS_MAX = 1000;

/** A key whose secret has been compared with its row. */
export interface VerifiedKey {
  readonly id: string;
  /** Whoever has it. */
  readonly caller: Caller;
  readonly scope: KeyScope;
  readonly lastUsedAtMs: number | null;
  /** From when on it has to be looked at anew: it expires, or the grace of its secret ends. */
  readonly untilMs: number;
}

/**
 * The keys that this process has verified since the database last changed. A key is: unknown → verified (`remember`) → unknown
 * (anything was committed; its time is over; many others came since). So a key that is revoked, by whatever process,
 * ends with the next request. They are found by a hash of what was sent: no secret is kept, and nothing that was refused.
 */
export class VerifiedKeys {
  readonly #commits: CommitWatch;
  readonly #byHash = new Map<string, VerifiedKey>();

  /** @param db a connection that has read */
  constructor(db: Database) {
    this.#commits = new CommitWatch(db);
  }

  /**
   * To be asked before the row is read that is then remembered: what is committed between the two is found the next time.
   * @param authorization the header as it came
   * @returns undefined for what has to be looked up
   */
  find(authorization: string, nowMs: number): VerifiedKey | undefined {
    if (this.#commits.mayHaveChanged()) this.#byHash.clear();
    if (this.#byHash.size === 0) return undefined;
    const key = this.#byHash.get(nameOf(authorization));
    return key !== undefined && nowMs < key.untilMs ? key : undefined;
  }

  remember(authorization: string, key: VerifiedKey): void {
    if (this.#byHash.size >= KEYS_MAX) this.#byHash.delete(this.#byHash.keys().next().value!);
    this.#byHash.set(nameOf(authorization), key);
  }
}

function nameOf(authorization: string): string {
  return hash('sha256', authorization, 'base64');
}
