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
/** An owner whose record does not change for three renewals is dead. */
const DEAD_AFTER_MS = 3 * RENEW_INTERVAL_MS;
/** The pause between looks at another's record, or at a store that does not answer. */
const LOOK_INTERVAL_MS = 1000;
/** The pause after a write that was refused, since another system wrote at the same time. */
const AGAIN_MS = 50;
/** How long to wait for a lock: the kernel takes a moment to end a process that was killed. */
const LOCK_PATIENCE_MS = 2000;
/** How long to wait for a living owner on a forced takeover: it notices at its next renewal, and releases the lock. */
const LET_GO_PATIENCE_MS = 2 * RENEW_INTERVAL_MS;

export interface LeaseKeeperOptions {
  readonly store: LeaseStore;
  readonly self: Identity;
  /** Of this activation of the system. */
  readonly session: string;
  /** Whether this activation has held the record already. */
  readonly isResumed: boolean;
  /** Whether the replica is taken even from a living owner. */
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
 * Owns a replica for one activation of a system. In each state it looks at the record again and again (`#look`).
 *
 * States and who moves them: judging (`run`) → waiting (it watches another's record, or the store does not answer) →
 * held (it has written its own record) → released (`release`); any → lost (the record is another's), which is final.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #now: () => number;
  #state: 'judging' | 'waiting' | 'held' | 'lost' | 'released' = 'judging';
  #told: Ownership | undefined;
  /** Whether a caller of `renew` waits for the result of the next look. */
  #isAsked = false;
  #isEnding = false;
  /** Ends the wait for the next look. */
  #pause = new AbortController();
  /** Whether it has held the record: then any other record has replaced its own. */
  #hasHeld: boolean;
  /** The last record found. A record that is written anew because it is missing continues it. */
  #before: LeaseRecord | undefined;
  /** The highest `n` that it has written; undefined before the first. */
  #n: number | undefined;
  #positions: LeasePositions = { schema: {}, confirmed: {} };
  /** How the replica was taken from another system, for people; undefined where it was not. */
  #event: string | undefined;
  /** Another's record, and since when it has not changed. */
  #watched: { readonly text: string; readonly sinceMs: number } | undefined;
  #lockedOutSinceMs: number | undefined;
  /** Whether the last renewal succeeded. */
  #isRenewed = true;
  /** The look that is under way, if any. */
  #looking: Promise<number> = Promise.resolve(0);

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#hasHeld = options.isResumed;
  }

  /** Takes the replica and renews the record, until the record is another's, or `release`. */
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

  /** Looks at the record now, and reports the result even if it is as before. */
  renew(): void {
    this.#isAsked = true;
    this.#pause.abort();
  }

  /** Sets what the next renewal says of the databases. */
  tell({ schema, confirmed, completeUntilMs, last }: LeasePositions): void {
    this.#positions = { schema, confirmed, completeUntilMs, last };
  }

  /** Marks the record as released: nothing more is added to the replica, so that others need not wait. Best effort. */
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

  /** @returns milliseconds until the next look */
  async #look(): Promise<number> {
    const { store, self, session, isTakeOver } = this.#options;
    const isFree = store.lock();
    const found = await store.read();
    const record = found && parseRecord(found.text);
    // Something else answers in place of the store, such as a proxy's page: tried again, not lost.
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

  /** Takes a replica without a record, unless it has folders of epochs: only a record tells which of them counts. */
  async #first(): Promise<number> {
    const epochs = await this.#options.store.epochs();
    if (epochs.length === 0) return this.#write(undefined, undefined);
    this.#tell({ state: 'lost', epochs });
    return 0;
  }

  #isOwn(record: LeaseRecord): boolean {
    if (record.session !== this.#options.session || hasEpochs(record)) return false;
    // A higher `n` is of a copy of this machine, which goes on with the same session.
    return this.#n === undefined || record.n <= this.#n;
  }

  async #write(found: Stored | undefined, record: LeaseRecord | undefined): Promise<number> {
    const next = this.#next(record);
    // Before the write: one whose answer is lost may have landed.
    this.#n = next.n;
    if (!(await this.#options.store.write(JSON.stringify(next), found))) return AGAIN_MS;
    this.#hasHeld = true;
    this.#isRenewed = true;
    this.#watched = undefined;
    if (this.#state !== 'held') this.#tell({ state: 'held', reason: this.#event });
    else if (this.#told?.trouble !== undefined) this.#tell({ state: 'held' });
    return RENEW_INTERVAL_MS;
  }

  /** @param before the record that is there; its confirmed positions stay until newer ones are known */
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

  /** Another process under this kernel holds the lock, so it lives. */
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
    // The owner releases the lock when it finds that the record is another's.
    if (isTakeOver && record?.session !== session) {
      this.#event = `it was taken over from ${nameOf(record)}`;
      await store.write(JSON.stringify(this.#next(record)), found);
    }
    return AGAIN_MS;
  }

  #silent(reason: string): number {
    // The record may change unseen meanwhile, so watching starts over.
    this.#watched = undefined;
    const { log } = this.#options;
    if (this.#state === 'held') {
      const trouble = `${LEASE_NAME} cannot be renewed: ${reason}`;
      if (this.#isRenewed) log.warn(`${trouble}; tried again`);
      // A single lost answer is only logged.
      else this.#tell({ state: 'held', trouble });
      this.#isRenewed = false;
    } else {
      const because = `whose it is cannot be found out, and nothing is added to it before: ${reason}`;
      this.#tell({ state: 'waiting', reason: because, isToServe: true });
    }
    return LOOK_INTERVAL_MS;
  }

  /** @param advice replaces the usual advice for a replica that another system holds */
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
