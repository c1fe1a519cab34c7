import type { Config } from '../../config/config.ts';
import type { Confirmation } from '../../messages/confirmation.ts';
import { ReplicaListing } from '../history/replica-listing.ts';
import { advised } from '../store/remedies.ts';

/** The pause before another look for what was not found; a new confirmation starts a look at once. */
const AGAIN_MS = 1000;
/** How many confirmations of a database one look checks. */
const AT_ONCE_MAX = 32;

export interface UploadCheckOptions {
  readonly config: Config;
  /** Holds the credentials. */
  readonly env: NodeJS.ProcessEnv;
  /** Whether the replica is still this system's; called with each look. */
  readonly isOwner: () => Promise<boolean>;
  /** Gets each confirmation whose object is in the replica; for each database in order. */
  readonly onFound: (confirmation: Confirmation) => void;
  /** Gets why the replica cannot be read, for people; undefined when it can again. */
  readonly onTrouble: (reason: string | undefined) => void;
}

/**
 * Checks that what Litestream reports as uploaded is in the store: a login page that answers in the store's place takes
 * every upload and keeps none.
 *
 * States of a confirmation: waiting (`add`) → found (a look that was sent later finds its object, and those before it),
 * or dropped (its database has begun another generation, which contains it). There is one look at a time; the next one
 * is for all confirmations that came meanwhile.
 */
export class UploadCheck {
  readonly #options: UploadCheckOptions;
  /** By database the confirmations of one generation, oldest first. */
  readonly #waiting = new Map<string, Confirmation[]>();
  /** By database the generation whose snapshot was found. */
  readonly #begun = new Map<string, string>();
  #isLooking = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: UploadCheckOptions) {
    this.#options = options;
  }

  /** Takes a confirmation of Litestream, and looks for its object. */
  add(confirmation: Confirmation): void {
    const { database, generation } = confirmation;
    const waiting = this.#waiting.get(database);
    if (waiting?.[0]?.generation === generation) waiting.push(confirmation);
    else this.#waiting.set(database, [confirmation]);
    void this.#look();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    clearTimeout(this.#timer);
    while (await this.#findsSome());
    this.#isLooking = false;
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => void this.#look(), AGAIN_MS).unref();
  }

  /** @returns whether to look again now: something was found, and there is more */
  async #findsSome(): Promise<boolean> {
    // After a failure only the oldest is asked for: while it is missing, those after it do not count.
    const count = this.#failures === 0 ? AT_ONCE_MAX : 1;
    try {
      const [isOwner, ...found] = await Promise.all([
        this.#options.isOwner(),
        ...[...this.#waiting.values()].map((waiting) => this.#found(waiting, count)),
      ]);
      this.#options.onTrouble(undefined);
      const isSome = isOwner && found.some((confirmations) => confirmations.length > 0);
      this.#failures = isSome ? 0 : this.#failures + 1;
      if (isSome) for (const confirmation of found.flat()) this.#pass(confirmation);
      return isSome && this.#waiting.size > 0;
    } catch (error) {
      this.#failures += 1;
      // A single lost answer is not reported.
      if (this.#failures > 1) this.#options.onTrouble(advised(error));
      return false;
    }
  }

  #pass(confirmation: Confirmation): void {
    const { database } = confirmation;
    const waiting = this.#waiting.get(database);
    // Another generation may have begun meanwhile.
    if (waiting?.[0] !== confirmation) return;
    waiting.shift();
    if (waiting.length === 0) this.#waiting.delete(database);
    this.#options.onFound(confirmation);
  }

  /** @returns the confirmations before the first one that is missing */
  async #found(waiting: readonly Confirmation[], count: number): Promise<readonly Confirmation[]> {
    const asked = waiting.slice(0, count);
    const found = await Promise.all(asked.map((confirmation) => this.#isThere(confirmation)));
    return found.includes(false) ? asked.slice(0, found.indexOf(false)) : asked;
  }

  async #isThere({ database, generation, segment }: Confirmation): Promise<boolean> {
    // Litestream 0.5 keeps merging its objects, so that there is none to look for.
    if (!segment) return true;
    const listing = new ReplicaListing({ ...this.#options, database });
    const [isStored, isBegun] = await Promise.all([
      listing.has(segment),
      this.#begun.get(database) === generation ||
        listing.snapshots(generation).then((names) => names.length > 0),
    ]);
    if (isBegun) this.#begun.set(database, generation);
    return isBegun && isStored;
  }
}
