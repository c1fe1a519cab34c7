import type { ContenderState } from '../../messages/contender-state.ts';
import type { LeasePositions } from '../../messages/positions.ts';
import { type Identity, isKnownGone, isSameBoot } from '../lease/identity.ts';
import { type LeaseRecord, newRecord, ownerOf, parseRecord } from '../lease/record.ts';
import type { Stored } from '../lease/store.ts';
import { epochFolder, epochOf } from './epoch.ts';
import { SINGLE_TTL_MS, timesOf } from './times.ts';

/** What a look at the record has found. `silent`: there was no answer. */
export type Look =
  | { readonly kind: 'found'; readonly stored: Stored; readonly sentAtMs: number }
  /**
   * `epochs`: the folders of epochs that the replica has; with one the record was removed. `rest`: what is in its place and was
   * written by no release, such as the beginning of a record.
   */
  | {
      readonly kind: 'missing';
      readonly epochs: readonly string[];
      readonly rest?: Stored | undefined;
      readonly sentAtMs: number;
    }
  | { readonly kind: 'silent'; readonly reason: string };

/** A conditional write that is to be sent now. */
export interface LeaseWrite {
  readonly purpose: 'take' | 'renew' | 'switch' | 'release';
  readonly record: LeaseRecord;
  /** What is to be replaced; undefined where there is none. */
  readonly over: Stored | undefined;
}

/** How a write went. `silent`: it may land, now or later. */
export type WriteOutcome = 'written' | 'refused' | 'silent';

/** What a data folder keeps of the record, by which whoever starts there knows its own. */
export interface LeaseNote extends Pick<LeaseRecord, 'epoch' | 'session' | 'n'> {
  /** The databases in the data folder are all that this epoch has. */
  readonly isWhole: boolean;
  /** It was being given away: whoever takes the place of that process has to read the record first. */
  readonly isGivenAway: boolean;
}

export interface ContenderOptions {
  readonly self: Identity;
  /** Of this activation. */
  readonly session: string;
  readonly ttlMs: number;
  /** Monotonic, in milliseconds. It is never compared with another machine's. */
  readonly now: () => number;
  /** The folder to go on from where there is no record, or who has it is gone while it restored, as a person has decided. */
  readonly takeOver?: string | undefined;
  /** What was noted last in the data folder; undefined where nothing was. */
  readonly note?: LeaseNote | undefined;
  /**
   * Why this system cannot lead with the databases that the record tells of; undefined when it can.
   * @param isOwn they are here, whole: nothing would be restored
   */
  readonly heldBack?: (record: LeaseRecord, isOwn: boolean) => string | undefined;
}

/** In these the databases are here. */
const WHOLE: ReadonlySet<ContenderState> = new Set(['uploading', 'leader', 'offered', 'demoted']);

/**
 * One of the systems that stand by for each other, as far as the record is concerned: what it may do, and what it writes.
 * It does nothing by itself. Whoever drives it reads the record (`looked`), sends the write that this returns, and tells
 * how that went (`wrote`), one after the other; the clock alone tells whether it may commit.
 *
 * States and who moves them: standby → challenging (`looked` finds the record free, released, or unchanged for as long as
 * its holder said) → restoring (`wrote`, or a `looked` that finds the write there after all) or standby; restoring, which
 * who has its databases still skips, →
 * uploading or leader (`restored`); uploading → leader (`wrote` or `looked`, once it is `covered`); these three ↔
 * suspended, by the clock and by `wrote`; leader → offered (`release`, then `wrote`) → demoted (`looked`), or leader (`reclaim`),
 * suspended until it has written the record anew; → demoted (`release`, then `wrote`); → fenced (`looked`). refused: `looked`.
 */
export class Contender {
  readonly #options: ContenderOptions;
  readonly #holdMs: number;
  #state: Exclude<ContenderState, 'suspended'> = 'standby';
  #refusal: string | undefined;
  #heldBackBecause: string | undefined;
  /** Who has the record now, for people. */
  #holder: LeaseRecord | undefined;
  /** Undefined before it has held it. */
  #epoch: number | undefined;
  /** The record while it is held, as it was known last. */
  #own: LeaseRecord | undefined;
  /** The highest that this activation has written; undefined before the first. */
  #n: number | undefined;
  /** Until when it may commit; it may not before the first renewal. */
  #deadlineMs = Number.NEGATIVE_INFINITY;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  /** The other's record, and since when it is known to be the same. */
  #watched: { readonly tag: string; readonly sinceMs: number } | undefined;
  /** What was last found there, also before the store fell silent. */
  #lastSeen: { readonly tag: string; readonly session: string } | undefined;
  /** It has promised to wait until then. */
  #vowedUntilMs = Number.NEGATIVE_INFINITY;
  /** What a write of ours would replace that had no answer: it may still land, as long as this is there. */
  #undecidedOver: string | undefined;
  #isCovered = false;
  #isReleasing = false;
  #isOffered = false;
  /** A write was sent that gives it away, whatever has become of that. */
  #isGiving = false;
  /** What it has offered may still be taken: only a write of its own ends that. */
  #isReclaiming = false;
  #positions: LeasePositions = { schema: {}, confirmed: {} };

  constructor(options: ContenderOptions) {
    const { note, session } = options;
    this.#options = options;
    if (note?.session === session) this.#resume(note);
    this.#holdMs = timesOf(options.ttlMs).holdMs;
  }

  get state(): ContenderState {
    return this.isHolder && this.#options.now() >= this.#deadlineMs ? 'suspended' : this.#state;
  }

  /** The record is its own, as far as it knows. */
  get isHolder(): boolean {
    return this.#state === 'restoring' || this.#state === 'uploading' || this.#state === 'leader';
  }

  get isOver(): boolean {
    return this.#state === 'demoted' || this.#state === 'fenced' || this.#state === 'refused';
  }

  /** It gives the record away when it can. */
  get isReleasing(): boolean {
    return this.#isReleasing;
  }

  /** The epoch that it writes. Undefined before it has held the record. */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** The folder to restore from, below the shared replica; empty: that itself. */
  get data(): string {
    return this.#own?.data ?? '';
  }

  /** What the record tells of the databases, while it is held. */
  get told(): Pick<LeasePositions, 'schema' | 'needs'> | undefined {
    return this.isHolder ? this.#own : undefined;
  }

  /** The record that was found last and is not its own. */
  get holder(): LeaseRecord | undefined {
    return this.#holder;
  }

  /** Why a person has to decide; undefined unless it is refused. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Why it would not take the record now; undefined when it would, and once it has it. */
  get heldBackBecause(): string | undefined {
    return this.#state === 'standby' ? this.#heldBackBecause : undefined;
  }

  /** When the record was renewed last: by itself, or by the other one as far as it has seen; undefined before. */
  get renewedAtMs(): number | undefined {
    if (!this.isHolder) return this.#watched?.sinceMs;
    return Number.isFinite(this.#renewedAtMs) ? this.#renewedAtMs : undefined;
  }

  /** Until when it may commit, on its own clock. */
  get deadlineMs(): number {
    const isServing = this.#state === 'uploading' || this.#state === 'leader';
    return isServing && !this.#isReleasing ? this.#deadlineMs : Number.NEGATIVE_INFINITY;
  }

  /** Whether its writer may commit now. */
  get mayCommit(): boolean {
    return this.#options.now() < this.deadlineMs;
  }

  /** What is to be kept in the data folder before a write is sent; undefined while there is nothing of its own. */
  get note(): LeaseNote | undefined {
    if (this.#epoch === undefined || this.#n === undefined) return undefined;
    const isWhole = WHOLE.has(this.#state);
    const isGivenAway = this.#isReleasing || this.#isReclaiming;
    return { epoch: this.#epoch, session: this.#options.session, n: this.#n, isWhole, isGivenAway };
  }

  /** What the next write tells of the databases. */
  tell(positions: LeasePositions): void {
    this.#positions = positions;
  }

  /** The databases are there, whole, as the epoch had them that `data` names. */
  restored(): void {
    if (this.#state === 'restoring') this.#state = this.#isSwitched ? 'leader' : 'uploading';
  }

  /** Its own epoch's folder has a snapshot of each database and all behind it. */
  covered(): void {
    this.#isCovered = true;
  }

  /**
   * It commits nothing more, and all is shipped: the next may take over without waiting.
   * @param isOffered it may be had back, as long as nobody has taken it
   */
  release(isOffered = false): void {
    this.#isReleasing = true;
    this.#isOffered = isOffered;
  }

  /** Nobody has taken what was offered, as far as known: it goes on, once it has written the record anew where it was given. */
  reclaim(): void {
    if (!this.#isReleasing || !this.#isOffered || this.isOver) return;
    if (this.#state === 'offered') this.#state = 'leader';
    this.#isReleasing = false;
    // While the store was silent nothing was sent: nobody can take it.
    if (!this.#isGiving) return;
    this.#isGiving = false;
    this.#isReclaiming = true;
    this.#deadlineMs = Number.NEGATIVE_INFINITY;
    this.#renewedAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * The holder asks, since the store does not answer it.
   * @returns whether it is promised not to challenge that session for as long as its record says
   */
  vow(session: string): boolean {
    if (this.#state !== 'standby' || this.#lastSeen?.session !== session) return false;
    // A write that is under way takes the record when it lands, whatever is promised.
    if (this.#undecidedOver === this.#lastSeen.tag) return false;
    const waitMs = this.#holder?.ttlMs ?? SINGLE_TTL_MS;
    this.#vowedUntilMs = Math.max(this.#vowedUntilMs, this.#options.now() + waitMs);
    return true;
  }

  /** @param sentAtMs when the peer was asked that has promised to wait: not when it answered */
  vowed(sentAtMs: number): void {
    // The promise is not to challenge, and what is offered is taken without that.
    if (this.isHolder && !this.#isReclaiming) this.#extend(sentAtMs);
  }

  /** @returns whether it was found leading by this look, so that what was confirmed before it was sent is replicated */
  isConfirmedBy(look: Look): boolean {
    return look.kind === 'found' && this.#state === 'leader';
  }

  /** @returns the write that is to be sent now, if any */
  looked(look: Look): LeaseWrite | undefined {
    if (this.isOver) return undefined;
    if (look.kind === 'silent') {
      this.#watched = undefined;
      return undefined;
    }
    const isMissing = look.kind === 'missing';
    const record = isMissing ? undefined : parseRecord(look.stored.text);
    if (this.isHolder) return isMissing ? this.#anew(look.rest) : this.#asHolder(look.stored, record);
    if (this.#state === 'offered') return this.#asOffered(record);
    return isMissing ? this.#asFirst(look.epochs, look.rest) : this.#asStandby(look.stored, record);
  }

  /** @param sentAtMs when it was sent: a holder's time counts from there */
  wrote({ purpose, record, over }: LeaseWrite, outcome: WriteOutcome, sentAtMs: number): void {
    if (outcome !== 'written') {
      // Also of one that was refused: its first try may have landed, and have been sent again on the way.
      if (purpose === 'take') this.#undecidedOver = over?.tag;
      if (this.#state === 'challenging') this.#state = 'standby';
      return;
    }
    if (purpose === 'take') this.#hold(record);
    this.#extend(sentAtMs);
    this.#know(record);
    if (purpose === 'renew' || purpose === 'switch') this.#isReclaiming = false;
    if (purpose === 'release') this.#state = this.#isOffered ? 'offered' : 'demoted';
  }

  /** The process before this one has held the record, and written so many. Suspended, until the store or the peer answers. */
  #resume({ n, epoch, isWhole, isGivenAway }: LeaseNote): void {
    this.#n = n;
    if (!isWhole || isGivenAway) return;
    this.#epoch = epoch;
    this.#state = 'uploading';
  }

  get #isSwitched(): boolean {
    return this.#epoch !== undefined && this.data === epochFolder(this.#epoch);
  }

  #hold(record: LeaseRecord): void {
    const { note } = this.#options;
    this.#state = 'restoring';
    this.#epoch = record.epoch;
    this.#own = record;
    this.#undecidedOver = undefined;
    // It goes on with its own databases: they have more than the replica.
    if (note?.isWhole && note.epoch === record.epoch) this.restored();
  }

  #extend(sentAtMs: number): void {
    this.#deadlineMs = Math.max(this.#deadlineMs, sentAtMs + this.#holdMs);
    this.#renewedAtMs = Math.max(this.#renewedAtMs, sentAtMs);
  }

  #know(record: LeaseRecord): void {
    this.#own = record;
    if (this.#state === 'uploading' && this.#isSwitched) this.#state = 'leader';
  }

  /** Who was away for long cannot know whether another had it meanwhile. */
  #anew(rest: Stored | undefined): LeaseWrite | undefined {
    const isKnown = this.#own && this.#options.now() < this.#deadlineMs;
    return isKnown ? this.#write('renew', rest, this.#own) : undefined;
  }

  #asHolder(stored: Stored, record: LeaseRecord | undefined): LeaseWrite | undefined {
    const { now } = this.#options;
    if (!record || !this.#isOwn(record)) {
      this.#holder = record;
      this.#state = this.#isReleasing ? 'demoted' : 'fenced';
      return undefined;
    }
    this.#know(record);
    if (this.#isReleasing && this.#isSwitched) {
      this.#isGiving = true;
      return this.#write('release', stored, record);
    }
    if (this.#isCovered && this.#state === 'uploading') return this.#write('switch', stored, record);
    const isDue = now() >= this.#renewedAtMs + timesOf(this.#options.ttlMs).renewIntervalMs;
    return isDue || !this.#isToldBy(record) ? this.#write('renew', stored, record) : undefined;
  }

  /** What the databases have, or are about to have, is known to whoever would take over. */
  #isToldBy({ schema, needs }: LeaseRecord): boolean {
    const { schema: newest, needs: needed = needs } = this.#positions;
    const isTold = JSON.stringify({ ...schema, ...newest }) === JSON.stringify(schema);
    return isTold && JSON.stringify(needed) === JSON.stringify(needs);
  }

  /** Also where it is missing: nobody but the next one may write it then. */
  #asOffered(record: LeaseRecord | undefined): undefined {
    if (!record || this.#isOwn(record)) return;
    this.#holder = record;
    this.#state = 'demoted';
  }

  #asStandby(stored: Stored, record: LeaseRecord | undefined): LeaseWrite | undefined {
    if (!record) return this.#refuse('the record of its owner is none that this release can read');
    const { takeOver } = this.#options;
    if (takeOver !== undefined && this.#lastSeen === undefined && !this.#isOwn(record)) {
      if (!record.isRestoring)
        return this.#refuse(`${ownerOf(record)} has a record, and decides what is gone on from`);
      if (record.data !== takeOver)
        return this.#refuse(`what counts is in ${record.data}, as the record of ${ownerOf(record)} says`);
    }
    if (this.#isOwn(record)) {
      // A write that was taken for lost, or one of the process before this one.
      this.#hold(record);
      return this.#write('renew', stored, record);
    }
    this.#holder = record;
    this.#lastSeen = { tag: stored.tag, session: record.session };
    if (this.#undecidedOver !== stored.tag) this.#undecidedOver = undefined;
    if (this.#watched?.tag !== stored.tag) this.#watched = { tag: stored.tag, sinceMs: this.#options.now() };
    if (!this.#mayTake(record)) return undefined;
    this.#state = 'challenging';
    return this.#write('take', stored, record);
  }

  #asFirst(epochs: readonly string[], rest: Stored | undefined): LeaseWrite | undefined {
    // It was there: whoever holds it writes it anew.
    if (this.#lastSeen !== undefined) return this.#missed();
    const { takeOver, self, session } = this.#options;
    const folders = epochs.join(', ') || 'no folder of an epoch';
    if (takeOver === undefined && rest)
      return this.#refuse(`what is in lease.json is no record; ${folders} is there`);
    if (takeOver === undefined && epochs.length > 0)
      return this.#refuse(`the record of its owner was removed; ${folders} is there`);
    if (takeOver !== undefined && !epochs.includes(takeOver))
      return this.#refuse(`there is no folder ${takeOver}; ${folders} is there`);
    this.#state = 'challenging';
    if (takeOver === undefined) return this.#write('take', undefined, undefined);
    const numbers = epochs.map((folder) => epochOf(folder) ?? 0);
    const past = epochs.filter((folder) => (epochOf(folder) ?? 0) < (epochOf(takeOver) ?? 0)).sort();
    const before = { ...newRecord(self, session), epoch: Math.max(...numbers), data: takeOver, past };
    return this.#write('take', rest, before);
  }

  #missed(): undefined {
    this.#watched = undefined;
  }

  #mayTake(record: LeaseRecord): boolean {
    const { now, self, note, heldBack, takeOver } = this.#options;
    const isHere = this.#isOfThisFolder(record) && note?.isWhole === true;
    const isRestoredElsewhere = record.isRestoring && record.instance !== self.instance;
    this.#heldBackBecause =
      isRestoredElsewhere && takeOver === undefined
        ? `the databases of ${record.name} are being replaced (restore --in-place), which goes on when that is started. If it is gone for good: ninelives start --take-over --epoch ${record.data}`
        : heldBack?.(record, isHere);
    if (this.#heldBackBecause !== undefined) return false;
    if (record.state === 'released' || this.#isOfThisFolder(record)) return true;
    // What a primary leaves behind that was killed may still commit, and has the lock of its folder.
    if (record.folder === self.folder && isKnownGone(record, self)) return true;
    const unchangedMs = now() - (this.#watched?.sinceMs ?? now());
    return unchangedMs >= (record.ttlMs ?? SINGLE_TTL_MS) && now() >= this.#vowedUntilMs;
  }

  #isOwn(record: LeaseRecord): boolean {
    // A copy of this very machine goes on with the same session.
    return record.session === this.#options.session && this.#n !== undefined && record.n <= this.#n;
  }

  /**
   * Whoever asks has the lock of the data folder, so that nothing of the activation before still runs. A copy of the folder
   * has the note, too, and is another folder.
   */
  #isOfThisFolder(record: LeaseRecord): boolean {
    const { note, self } = this.#options;
    const isFolder = isSameBoot(record, self) && record.folder === self.folder;
    return isFolder && record.session === note?.session && record.n <= note.n;
  }

  /** @param before what is there */
  #write(
    purpose: LeaseWrite['purpose'],
    stored: Stored | undefined,
    before: LeaseRecord | undefined,
  ): LeaseWrite {
    const { self, session, ttlMs } = this.#options;
    const epoch = purpose === 'take' ? this.#nextEpoch(before) : (this.#epoch as number);
    const n = Math.max(before?.n ?? 0, this.#n ?? 0) + 1;
    this.#n = n;
    const record: LeaseRecord = {
      ...newRecord(self, session),
      epoch,
      data: purpose === 'switch' ? epochFolder(epoch) : (before?.data ?? ''),
      past: purpose === 'switch' ? [...(before?.past ?? []), before?.data ?? ''] : before?.past,
      n,
      state: purpose === 'release' ? 'released' : 'held',
      ttlMs,
      // A writer that has not said it yet takes nothing away from what the databases have.
      schema: { ...before?.schema, ...this.#positions.schema },
      needs: this.#positions.needs ?? before?.needs,
      confirmed: { ...before?.confirmed, ...this.#positions.confirmed },
      completeUntilMs: this.#positions.completeUntilMs,
      ...(purpose === 'release' && { last: this.#positions.last }),
    };
    return { purpose, record, over: stored };
  }

  /** The same machine with the same databases goes on in its epoch; any other begins one. */
  #nextEpoch(before: LeaseRecord | undefined): number {
    if (!before) return 1;
    const isKept = this.#isOfThisFolder(before) && this.#options.note?.isWhole === true;
    return isKept ? before.epoch : before.epoch + 1;
  }

  #refuse(reason: string): undefined {
    this.#state = 'refused';
    this.#refusal = reason;
  }
}
