import { hash } from 'node:crypto';
import type { Caller } from '../contract/feature.ts';
import { CommitWatch } from '../sqlite/commit-watch.ts';
import type { Database } from '../sqlite/open.ts';
import type { KeyScope } from './schema.ts';

/** Far more keys than are used at the same time; each takes about 300 bytes. */
const KEYS_MAX = 1000;

/** A key whose secret has been compared with its row. */
export interface VerifiedKey {
  readonly id: string;
  /** The caller who holds the key. */
  readonly caller: Caller;
  readonly scope: KeyScope;
  readonly lastUsedAtMs: number | null;
  /** Until when the verification holds: the key expires, or the grace time of its secret ends. */
  readonly untilMs: number;
}

/**
 * The keys that this process has verified since the database last changed. So a revoked key stops working with the next
 * request, whichever process has revoked it. Keys are found by a hash of the header: no secret is kept, nor any refused
 * header.
 *
 * States of a key: unknown → verified (`remember`) → unknown (anything was committed, its time is over, or many other
 * keys came since).
 */
export class VerifiedKeys {
  readonly #commits: CommitWatch;
  readonly #byHash = new Map<string, VerifiedKey>();

  /** @param db the connection with which the keys are read */
  constructor(db: Database) {
    this.#commits = new CommitWatch(db);
  }

  /**
   * Call this before the row is read that is then passed to `remember`: a commit between the two is then noticed at the
   * next call.
   * @param authorization the header as it was sent
   * @returns undefined when the key must be looked up
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
