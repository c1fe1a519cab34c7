import type { ContenderState } from '../../messages/contender-state.ts';
import type { LeasePositions } from '../../messages/positions.ts';
import { type Identity, isKnownGone, isSameBoot } from '../lease/identity.ts';
import { type LeaseRecord, newRecord, ownerOf, parseRecord } from '../lease/record.ts';
import type { Stored } from '../lease/store.ts';
import { epochFolder, epochOf } from './epoch.ts';
import { SINGLE_TTL_MS, timesOf } from './times.ts';

/** The result of a look at the record. `silent`: the store did not answer. */
export type Look =
  | { readonly kind: 'found'; readonly stored: Stored; readonly sentAtMs: number }
  /**
   * `epochs`: the folders of epochs in the replica; where there are any, the record was removed. `rest`: the content in
   * the record's place that no release has written, such as the beginning of a record.
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
  /** What the write replaces; undefined where there is nothing. */
  readonly over: Stored | undefined;
}

/** How a write went. `silent`: no answer; it may land, now or later. */
export type WriteOutcome = 'written' | 'refused' | 'silent';

/** What the data folder keeps of the record, so that the next process here recognizes its own record. */
export interface LeaseNote extends Pick<LeaseRecord, 'epoch' | 'session' | 'n'> {
  /** The databases in the data folder have everything of this epoch. */
  readonly isWhole: boolean;
  /** The record was being given away: the process that takes over here must read the record before it leads. */
  readonly isGivenAway: boolean;
}

export interface ContenderOptions {
  readonly self: Identity;
  /** Of this activation. */
  readonly session: string;
  readonly ttlMs: number;
  /** Monotonic, in milliseconds. It is never compared with another machine's. */
  readonly now: () => number;
  /** The folder that a person chose to go on from: the record is gone, or its holder died in a restore --in-place. */
  readonly takeOver?: string | undefined;
  /** The last note in the data folder; undefined where there is none. */
  readonly note?: LeaseNote | undefined;
  /**
   * Why this system cannot lead with the databases that the record describes; undefined when it can.
   * @param isOwn the databases are here, whole: nothing would be restored
   */
  readonly heldBack?: (record: LeaseRecord, isOwn: boolean) => string | undefined;
}

/** The states in which the databases are here, whole. */
const WHOLE: ReadonlySet<ContenderState> = new Set(['uploading', 'leader', 'offered', 'demoted']);

/**
 * The protocol of the lease for one of the systems that stand by for each other: what it may do, and what it writes to
 * the record. It does no I/O. The driver reads the record (`looked`), sends the write that this returns, and reports
 * its outcome (`wrote`), one after the other. The clock alone decides whether the system may commit.
 *
 * States and who moves them:
 * - standby → challenging: `looked` finds the record free, released, or unchanged for the `ttlMs` that its holder wrote
 * - challenging → restoring: `wrote`, or a `looked` that finds the write has landed after all; → standby: any other
 *   outcome
 * - restoring → uploading or leader: `restored`; at once where the databases of this epoch are still here
 * - uploading → leader: `wrote` or `looked`, once it is `covered`
 * - restoring, uploading, leader ↔ suspended: by the clock, and back by a renewal (`wrote`) or a vow (`vowed`)
 * - leader → offered or demoted: `release`, then `wrote`
 * - offered → demoted: `looked`; → leader: `reclaim`, suspended until it has written the record anew
 * - restoring, uploading, leader → fenced: `looked` finds another's record (demoted, when it is releasing)
 * - standby → refused: `looked`
 */
export class Contender {
  readonly #options: ContenderOptions;
  readonly #holdMs: number;
  #state: Exclude<ContenderState, 'suspended'> = 'standby';
  #refusal: string | undefined;
  #heldBackBecause: string | undefined;
  /** The last record seen that is not its own. */
  #holder: LeaseRecord | undefined;
  /** Undefined before it has held the record. */
  #epoch: number | undefined;
  /** Its own record, as last read or written. */
  #own: LeaseRecord | undefined;
  /** The highest `n` that this activation has written; undefined before the first. */
  #n: number | undefined;
  /** Until when it may commit; in the past before the first renewal. */
  #deadlineMs = Number.NEGATIVE_INFINITY;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  /** The tag of the other's record, and since when it is known to be unchanged; forgotten when the store is silent. */
  #watched: { readonly tag: string; readonly sinceMs: number } | undefined;
  /** The other's record as last found; kept when the store is silent. */
  #lastSeen: { readonly tag: string; readonly session: string } | undefined;
  /** It has promised its peer not to challenge until then. */
  #vowedUntilMs = Number.NEGATIVE_INFINITY;
  /** The tag that a write of ours without an answer would replace: while it is there, that write may still land. */
  #undecidedOver: string | undefined;
  #isCovered = false;
  #isReleasing = false;
  #isOffered = false;
  /** A write was sent that gives the record away, whatever became of it. */
  #isGiving = false;
  /** The offered record may still be taken: only a write of its own ends that. */
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

  /** Whether the record is its own, as far as it knows. */
  get isHolder(): boolean {
    return this.#state === 'restoring' || this.#state === 'uploading' || this.#state === 'leader';
  }

  get isOver(): boolean {
    return this.#state === 'demoted' || this.#state === 'fenced' || this.#state === 'refused';
  }

  /** Whether it gives the record away as soon as it can. */
  get isReleasing(): boolean {
    return this.#isReleasing;
  }

  /** The epoch that it leads. Undefined before it has held the record. */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** The folder to restore from, below the shared replica; empty: the shared replica itself. */
  get data(): string {
    return this.#own?.data ?? '';
  }

  /** What its own record says of the databases; undefined while it is not the holder. */
  get told(): Pick<LeasePositions, 'schema' | 'needs'> | undefined {
    return this.isHolder ? this.#own : undefined;
  }

  /** The last record seen that is not its own. */
  get holder(): LeaseRecord | undefined {
    return this.#holder;
  }

  /** Why a person has to decide; undefined unless it is refused. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Why it would not take the record now; undefined when it would, and in every state but standby. */
  get heldBackBecause(): string | undefined {
    return this.#state === 'standby' ? this.#heldBackBecause : undefined;
  }

  /** When this system renewed the record last, or saw it change as a standby; undefined before that. */
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

  /** The note to keep in the data folder before a write is sent; undefined before it has held the record. */
  get note(): LeaseNote | undefined {
    if (this.#epoch === undefined || this.#n === undefined) return undefined;
    const isWhole = WHOLE.has(this.#state);
    const isGivenAway = this.#isReleasing || this.#isReclaiming;
    return { epoch: this.#epoch, session: this.#options.session, n: this.#n, isWhole, isGivenAway };
  }

  /** Sets what the next write says of the databases. */
  tell(positions: LeasePositions): void {
    this.#positions = positions;
  }

  /** The databases are here, whole, as the epoch that `data` names had them. */
  restored(): void {
    if (this.#state === 'restoring') this.#state = this.#isSwitched ? 'leader' : 'uploading';
  }

  /** The folder of its own epoch has a snapshot of each database, and everything after that. */
  covered(): void {
    this.#isCovered = true;
  }

  /**
   * Gives the record away: nothing more is committed and all is shipped, so the other may take over without waiting.
   * @param isOffered the record may be taken back (`reclaim`) as long as nobody has taken it
   */
  release(isOffered = false): void {
    this.#isReleasing = true;
    this.#isOffered = isOffered;
  }

  /** Leads on, as nobody seems to have taken the offer. If that was sent, it must first write the record anew. */
  reclaim(): void {
    if (!this.#isReleasing || !this.#isOffered || this.isOver) return;
    if (this.#state === 'offered') this.#state = 'leader';
    this.#isReleasing = false;
    // The offer was never sent, so nobody can take it.
    if (!this.#isGiving) return;
    this.#isGiving = false;
    this.#isReclaiming = true;
    this.#deadlineMs = Number.NEGATIVE_INFINITY;
    this.#renewedAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * The holder asks for this promise when the store does not answer it.
   * @returns whether this system promises not to challenge that session for the `ttlMs` of its record
   */
  vow(session: string): boolean {
    if (this.#state !== 'standby' || this.#lastSeen?.session !== session) return false;
    // No promise while a write of ours may still land: it would take the record.
    if (this.#undecidedOver === this.#lastSeen.tag) return false;
    const waitMs = this.#holder?.ttlMs ?? SINGLE_TTL_MS;
    this.#vowedUntilMs = Math.max(this.#vowedUntilMs, this.#options.now() + waitMs);
    return true;
  }

  /** The peer has promised to wait. @param sentAtMs when the question was sent, not when it was answered */
  vowed(sentAtMs: number): void {
    // An offered record is taken without a challenge, so the promise does not cover it.
    if (this.isHolder && !this.#isReclaiming) this.#extend(sentAtMs);
  }

  /** @returns whether this look found the system leading: then uploads confirmed before it was sent are replicated */
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

  /** @param sentAtMs when the write was sent: the right to commit counts from there */
  wrote({ purpose, record, over }: LeaseWrite, outcome: WriteOutcome, sentAtMs: number): void {
    if (outcome !== 'written') {
      // Also when it was refused: a first try may have landed, and its repetition on the way been refused.
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

  /** Continues the process before this one, which held the record. Suspended until the store or the peer answers. */
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
    // The databases of this epoch are here, and have more than the replica.
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

  /** Writes a missing record anew, but not after the deadline: another system may have had the record since. */
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

  /** Whether the record names the migrations that the databases have, or are about to have: a standby goes by them. */
  #isToldBy({ schema, needs }: LeaseRecord): boolean {
    const { schema: newest, needs: needed = needs } = this.#positions;
    const isTold = JSON.stringify({ ...schema, ...newest }) === JSON.stringify(schema);
    return isTold && JSON.stringify(needed) === JSON.stringify(needs);
  }

  /** A missing record changes nothing: after an offer only the next leader may write it. */
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
      // A write that seemed lost has landed, or the process before this one wrote it.
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
    // The record was there before: its holder writes it anew.
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
    // A killed primary may leave processes that still commit. In this folder there are none: its lock is held here.
    if (record.folder === self.folder && isKnownGone(record, self)) return true;
    const unchangedMs = now() - (this.#watched?.sinceMs ?? now());
    return unchangedMs >= (record.ttlMs ?? SINGLE_TTL_MS) && now() >= this.#vowedUntilMs;
  }

  #isOwn(record: LeaseRecord): boolean {
    // A higher `n` is of a copy of this machine, which goes on with the same session.
    return record.session === this.#options.session && this.#n !== undefined && record.n <= this.#n;
  }

  /**
   * Whether the activation before this one wrote the record from this data folder. The caller has the folder's lock, so
   * nothing of that still runs. A copy of the folder has the note, too, but another inode.
   */
  #isOfThisFolder(record: LeaseRecord): boolean {
    const { note, self } = this.#options;
    const isFolder = isSameBoot(record, self) && record.folder === self.folder;
    return isFolder && record.session === note?.session && record.n <= note.n;
  }

  /** @param before the record that is there */
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
      // Positions that the writer has not reported yet stay as they were.
      schema: { ...before?.schema, ...this.#positions.schema },
      needs: this.#positions.needs ?? before?.needs,
      confirmed: { ...before?.confirmed, ...this.#positions.confirmed },
      completeUntilMs: this.#positions.completeUntilMs,
      ...(purpose === 'release' && { last: this.#positions.last }),
    };
    return { purpose, record, over: stored };
  }

  /** The same machine with the same databases keeps its epoch; any other system begins a new one. */
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
