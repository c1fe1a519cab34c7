import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Ownership } from '../../messages/messages.ts';
import type { LeasePositions } from '../../messages/positions.ts';
import type { Logger } from '../../platform/log.ts';
import type { LeaseNote } from '../failover/contender.ts';
import { epochOf } from '../failover/epoch.ts';
import { advised } from '../store/remedies.ts';
import { type Identity, isAlive } from './identity.ts';
import { type Judgement, judge } from './judge.ts';
import { hasEpochs, isNobodys, type LeaseRecord, newRecord, ownerOf, parseRecord } from './record.ts';
import { LEASE_NAME, type LeaseStore, type Stored } from './store.ts';

const RENEW_INTERVAL_MS = 10_000;
/** Three renewals: an owner whose record stands still for so long is dead. */
const DEAD_AFTER_MS = 3 * RENEW_INTERVAL_MS;
/** Between two looks at another's record, and at a store that does not answer. */
const LOOK_INTERVAL_MS = 1000;
/** Somebody else wrote at the same time. */
const AGAIN_MS = 50;
/** The kernel takes a moment to end a process that was killed. */
const LOCK_PATIENCE_MS = 2000;
/** Of one that is taken over by force: it looks with each renewal, and then lets go. */
const LET_GO_PATIENCE_MS = 2 * RENEW_INTERVAL_MS;

export interface LeaseKeeperOptions {
  readonly store: LeaseStore;
  readonly self: Identity;
  /** Of this activation of the system. */
  readonly session: string;
  /** This activation has held it already. */
  readonly isResumed: boolean;
  /** It is taken from a living owner, too. */
  readonly isTakeOver: boolean;
  /** As `Finding.folder` and `Finding.note`. */
  readonly folder?: string;
  readonly note?: LeaseNote | undefined;
  readonly onChange: (ownership: Ownership) => void;
  readonly log: Logger;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
  readonly delay?: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Owns a replica for one activation of a system. States and who moves them: judging (`run`) → waiting (another's record is
 * watched, or the store does not answer) → held (it has written its own) → released (`release`); any → lost (the record is
 * another's), which it never leaves. In each state a look at the record decides (`#look`), again and again.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #now: () => number;
  #state: 'judging' | 'waiting' | 'held' | 'lost' | 'released' = 'judging';
  #told: Ownership | undefined;
  /** Somebody waits for what the next look finds. */
  #isAsked = false;
  #isEnding = false;
  /** Ends the wait for the next look. */
  #pause = new AbortController();
  /** Once held, whatever else is found there has replaced this. */
  #hasHeld: boolean;
  /** What was there before: also what is written anew where it is missing goes on from that. */
  #before: LeaseRecord | undefined;
  /** The highest that this one has written; undefined before the first. */
  #n: number | undefined;
  #positions: LeasePositions = { schema: {}, confirmed: {} };
  /** How it was taken, for people; undefined where that is plain. */
  #event: string | undefined;
  /** Another's record, and since when it has not changed. */
  #watched: { readonly text: string; readonly sinceMs: number } | undefined;
  #lockedOutSinceMs: number | undefined;
  /** The last try to renew it has worked. */
  #isRenewed = true;
  /** The look that is under way, if any. */
  #looking: Promise<number> = Promise.resolve(0);

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#hasHeld = options.isResumed;
  }

  /** Takes the replica and renews that, until it is another's, or `release`. */
  async run(): Promise<void> {
    const { delay = (delayMs, signal) => sleep(delayMs, undefined, { signal }) } = this.#options;
    while (!this.#isOver) {
      this.#pause = new AbortController();
      const isAsked = this.#isAsked;
      this.#looking = this.#look().catch((error: Error) => this.#silent(advised(error)));
      const delayMs = await this.#looking;
      if (isAsked) this.#answer();
      if (this.#isOver) return;
      await delay(delayMs, this.#pause.signal).catch(() => {});
    }
  }

  /** Looks now, and tells what it has found also where that is as before. */
  renew(): void {
    this.#isAsked = true;
    this.#pause.abort();
  }

  /** What the next renewal tells of the replica. */
  tell({ schema, confirmed, completeUntilMs, last }: LeasePositions): void {
    this.#positions = { schema, confirmed, completeUntilMs, last };
  }

  /** Nothing more is added: others need not wait. Best effort. */
  async release(): Promise<void> {
    const { store } = this.#options;
    this.#isEnding = true;
    this.#pause.abort();
    await this.#looking;
    if (this.#state !== 'held') return;
    this.#state = 'released';
    const found = await store.read();
    const record = found && parseRecord(found.text);
    if (found && record && this.#isOwn(record))
      await store.write(
        JSON.stringify({ ...this.#next(record), state: 'released', last: this.#positions.last }),
        found,
      );
    store.unlock();
  }

  get #isOver(): boolean {
    return this.#isEnding || this.#state === 'lost' || this.#state === 'released';
  }

  /** @returns after which time to look again */
  async #look(): Promise<number> {
    const { store, self, session, isTakeOver } = this.#options;
    const isFree = store.lock();
    const found = await store.read();
    const record = found && parseRecord(found.text);
    // What answers in a store's place, such as a proxy's page, is gone again later.
    if (this.#hasHeld && found && isNobodys(found.text)) throw new Error('what is there is no record');
    if (this.#hasHeld && found && !(record && this.#isOwn(record))) return this.#lose(nameOf(record));
    if (!isFree) return this.#lockedOut(found, record);
    this.#lockedOutSinceMs = undefined;
    if (!found) return this.#hasHeld ? this.#write(found, record) : this.#first();
    const { folder = '', note } = this.#options;
    const judgement = record
      ? judge({ record, self, session, isLocked: store.isLockable, folder, note })
      : 'unknown';
    if (judgement === 'refused')
      return this.#lose(
        `${nameOf(record)}, and by a second system that takes over from that (FAILOVER=lease)`,
        'Only the one that has led last can go on alone, when both are stopped. Start this one with FAILOVER=lease, too; a command that writes is for the one that leads.',
      );
    if (judgement === 'elsewhere')
      return this.#lose(
        nameOf(record),
        `It goes on in its folder ${record?.data || 'of before'}, and the databases here are not from there. Put those aside, and start: they are restored.`,
      );
    if (judgement === 'own' || judgement === 'free') return this.#write(found, record);
    if (!isTakeOver) return this.#watch(found, record, judgement);
    this.#event = `it was taken over from ${nameOf(record)}`;
    return this.#write(found, record);
  }

  /** Without a record the replica is nobody's, unless it holds what only a record can tell of. */
  async #first(): Promise<number> {
    const epochs = await this.#options.store.epochs();
    if (epochs.length === 0) return this.#write(undefined, undefined);
    this.#tell({ state: 'lost', epochs });
    return 0;
  }

  #isOwn(record: LeaseRecord): boolean {
    if (record.session !== this.#options.session || hasEpochs(record)) return false;
    // A copy of this very machine goes on with the same session.
    return this.#n === undefined || record.n <= this.#n;
  }

  async #write(found: Stored | undefined, record: LeaseRecord | undefined): Promise<number> {
    const next = this.#next(record);
    // Also of one whose answer is lost.
    this.#n = next.n;
    if (!(await this.#options.store.write(JSON.stringify(next), found))) return AGAIN_MS;
    this.#hasHeld = true;
    this.#isRenewed = true;
    this.#watched = undefined;
    if (this.#state !== 'held') this.#tell({ state: 'held', reason: this.#event });
    else if (this.#told?.trouble !== undefined) this.#tell({ state: 'held' });
    return RENEW_INTERVAL_MS;
  }

  /** @param before what is there; what it names of a database is in the replica until newer is known to be */
  #next(before: LeaseRecord | undefined): LeaseRecord {
    const { self, session, folder = '' } = this.#options;
    const { schema, confirmed, completeUntilMs } = this.#positions;
    this.#before = before ?? this.#before;
    const { epoch = epochOf(folder), past } = this.#before ?? {};
    return {
      ...newRecord(self, session),
      ...(folder !== '' && epoch !== undefined && { epoch, data: folder, past, isAlone: true }),
      n: (before?.n ?? this.#n ?? 0) + 1,
      schema,
      confirmed: { ...before?.confirmed, ...confirmed },
      completeUntilMs,
    };
  }

  async #watch(found: Stored, record: LeaseRecord | undefined, judgement: Judgement): Promise<number> {
    const nowMs = this.#now();
    if (this.#watched && this.#watched.text !== found.text) return this.#lose(nameOf(record));
    this.#watched ??= { text: found.text, sinceMs: nowMs };
    const leftMs = this.#watched.sinceMs + DEAD_AFTER_MS - nowMs;
    if (leftMs <= 0) {
      this.#event = `it was taken from ${nameOf(record)}, which showed no life for ${DEAD_AFTER_MS / 1000} s`;
      return this.#write(found, record);
    }
    this.#tell({
      state: 'waiting',
      reason: `it was last held by ${nameOf(record)}, and nothing is added to it before that is known to be gone, which takes ${DEAD_AFTER_MS / 1000} s`,
      isToServe: judgement === 'same',
    });
    return Math.min(LOOK_INTERVAL_MS, leftMs);
  }

  /** Another process under this kernel has the lock: it lives. */
  async #lockedOut(found: Stored | undefined, record: LeaseRecord | undefined): Promise<number> {
    const { isTakeOver, self, session, store } = this.#options;
    const nowMs = this.#now();
    this.#lockedOutSinceMs ??= nowMs;
    const isOther = record !== undefined && record.session !== session;
    const patienceMs = isTakeOver
      ? LET_GO_PATIENCE_MS
      : isOther && isAlive(record, self)
        ? 0
        : LOCK_PATIENCE_MS;
    if (nowMs - this.#lockedOutSinceMs >= patienceMs) return this.#lose(nameOf(record));
    // It lets go when it finds that the record is another's.
    if (isTakeOver && record?.session !== session) {
      this.#event = `it was taken over from ${nameOf(record)}`;
      await store.write(JSON.stringify(this.#next(record)), found);
    }
    return AGAIN_MS;
  }

  #silent(reason: string): number {
    // A record that may have changed meanwhile is watched anew.
    this.#watched = undefined;
    const { log } = this.#options;
    if (this.#state === 'held') {
      const trouble = `${LEASE_NAME} cannot be renewed: ${reason}`;
      if (this.#isRenewed) log.warn(`${trouble}; tried again`);
      // One lost answer is no trouble.
      else this.#tell({ state: 'held', trouble });
      this.#isRenewed = false;
    } else {
      const because = `whose it is cannot be found out, and nothing is added to it before: ${reason}`;
      this.#tell({ state: 'waiting', reason: because, isToServe: true });
    }
    return LOOK_INTERVAL_MS;
  }

  /** @param advice in place of what is told where another system holds it */
  #lose(owner: string, advice?: string): number {
    this.#options.store.unlock();
    this.#tell({ state: 'lost', reason: owner, ...(advice !== undefined && { advice }) });
    return 0;
  }

  #tell(ownership: Ownership): void {
    this.#state = ownership.state;
    if (isDeepStrictEqual(ownership, this.#told)) return;
    this.#told = ownership;
    this.#options.onChange(ownership);
  }

  #answer(): void {
    this.#isAsked = false;
    if (this.#told) this.#options.onChange(this.#told);
  }
}

function nameOf(record: LeaseRecord | undefined): string {
  return record ? ownerOf(record) : 'somebody whose record cannot be read';
}
