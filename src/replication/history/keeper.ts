import { statSync } from 'node:fs';
import type { Confirmation } from '../../messages/confirmation.ts';
import type { LagReport } from '../../messages/messages.ts';
import type { CommitMark } from '../../messages/positions.ts';
import type { Logger } from '../../platform/log.ts';
import { databasePath } from '../litestream-config.ts';
import {
  type Behind,
  type DatabaseMark,
  emptyMark,
  type HistoryMark,
  machineId,
  type Notice,
  newMark,
  readMark,
  type ToldPosition,
  writeMark,
} from './mark.ts';
import { isOfNow } from './quarantine.ts';

/** The mark is written at most this long after the report that changed it. */
const WRITE_DELAY_MS = 1000;
/** Commits younger than this are still being uploaded, and count as no backlog. */
const BEHIND_MIN_MS = 2000;
const HOUR_MS = 60 * 60_000;
/** A new generation uploads the whole database, so there is a pause before the next one may begin for lost objects. */
const RENEWAL_PAUSE_MIN_MS = HOUR_MS;
const RENEWAL_PAUSE_MAX_MS = 24 * HOUR_MS;
/** The replica has removed older generations long ago. */
const GENERATIONS_MAX = 1000;

export interface HistoryKeeperOptions {
  readonly dataDir: string;
  readonly replicaUrl: string;
  readonly log: Logger;
  /** Is called once for each finding that a person should know of. */
  readonly onNotice: (text: string) => void;
  /** Is called when `trouble` may have changed. */
  readonly onChange: () => void;
}

/**
 * Keeps the mark of a running system up to date with what the writer and Litestream report.
 *
 * States and who moves them: closed (the file belongs to the preparation of the databases) → open (`open`) → closed
 * (`close`). While open the mark is clean, or has changed and is written when WRITE_DELAY_MS has passed.
 */
export class HistoryKeeper {
  readonly #options: HistoryKeeperOptions;
  #isOpen = false;
  #mark: HistoryMark;
  #written = '';
  #timer: NodeJS.Timeout | undefined;
  #isWritable = true;
  #refusal: string | undefined;
  /** The ids of the rewinds that the features have heard of. */
  readonly #heard = new Set<string>();
  /** Whether every commit in the writer's reports named its session: a writer of an older release names none. */
  #isExact = true;

  constructor(options: HistoryKeeperOptions) {
    this.#options = options;
    this.#mark = newMark(options.replicaUrl);
  }

  /** Why nothing may be added to the replica yet; undefined when it may. */
  get waitsBecause(): string | undefined {
    return this.#mark.waitsBecause;
  }

  /** Findings that no drill has settled and nobody has acknowledged, as text; undefined when there is none. */
  get trouble(): string | undefined {
    const texts = this.#mark.notices.map(({ text }) => text);
    const { waitsBecause = undefined } = this.#mark;
    const all = [...texts, this.#refusal ?? waitsBecause].filter((text) => text !== undefined);
    return all.length === 0 ? undefined : all.join(' ');
  }

  /** Reads the mark, makes it this machine's own, and announces the notices in it that are new. */
  open(): void {
    const { dataDir, replicaUrl, onNotice, onChange } = this.#options;
    const known = readMark(dataDir) ?? newMark(replicaUrl);
    const { waitsBecause } = known;
    const current = known.notices.filter((notice) => isOfNow(dataDir, notice));
    const notices = current.map((notice) => ({ ...notice, isRecorded: true }));
    for (const { text, isRecorded } of current) if (!isRecorded) onNotice(text);
    if (waitsBecause !== undefined && waitsBecause !== this.#mark.waitsBecause) onNotice(waitsBecause);
    const rewinds = this.#unheard(known);
    this.#mark = { ...known, notices, rewinds, isFinal: false, machineId: machineId() };
    this.#written = JSON.stringify(known);
    this.#isOpen = true;
    this.#refusal = undefined;
    // At once: after a kill within the delay the next system would announce the same notices again.
    if (current.some(({ isRecorded }) => !isRecorded)) this.#write(false);
    else this.#schedule();
    onChange();
  }

  /** Whether a generation was compared with the database, or uploaded from here; all count in a database begun anew. */
  isCompared(database: string, generation: string): boolean {
    const { generations, isBegunAnew } = this.#of(database);
    return isBegunAnew === true || generations.includes(generation);
  }

  /** Takes back that generations were compared: they may have commits that the database lacks. */
  doubt(database: string, generations: readonly string[]): void {
    const known = this.#of(database);
    const left = known.generations.filter((name) => !generations.includes(name));
    if (left.length < known.generations.length) this.#move(database, { ...known, generations: left });
  }

  /** Keeps and announces a finding about the replica that a person should know of. */
  found(text: string): void {
    if (!this.#isOpen) return;
    const notice = { atMs: Date.now(), text, isRecorded: true };
    this.#mark = { ...this.#mark, notices: [...this.#mark.notices, notice] };
    this.#write(false);
    this.#options.log.warn(text);
    this.#options.onNotice(text);
    this.#options.onChange();
  }

  /** @returns milliseconds until another generation may begin for lost objects; 0 when it may begin now */
  renewalWaitMs(nowMs: number): number {
    const { renewal } = this.#mark;
    // A time in the future comes from a clock that was wrong.
    if (!renewal || renewal.atMs > nowMs) return 0;
    return Math.max(0, renewal.atMs + renewal.pauseMs - nowMs);
  }

  /** Notes that a generation begins for lost objects. The pause before the next doubles until a drill passes. */
  renewed(nowMs: number): void {
    if (!this.#isOpen) return;
    const pauseMs = Math.min(
      (this.#mark.renewal?.pauseMs ?? 0) * 2 || RENEWAL_PAUSE_MIN_MS,
      RENEWAL_PAUSE_MAX_MS,
    );
    this.#mark = { ...this.#mark, renewal: { atMs: nowMs, pauseMs } };
    this.#write(false);
  }

  /** A comparison while the system serves found that it must not add to the replica; `because` says why. */
  refused(because: string): void {
    this.#refusal = because;
    this.#options.log.warn(because);
    this.#options.onNotice(because);
    this.#options.onChange();
  }

  /** A person has seen all findings. @returns how many there were */
  acknowledge(): number {
    return this.#settle(() => true);
  }

  /** A drill has passed: the replica is proven. Notices of a quarantine stay: its commits are no safer for that. */
  proven(): void {
    if (!this.#isOpen) return;
    const { renewal: _, ...mark } = this.#mark;
    this.#mark = mark;
    this.#schedule();
    this.#settle(({ quarantine }) => quarantine === undefined);
  }

  /** The features have heard of a rewind, and the database records that. */
  rewound(id: string): void {
    this.#heard.add(id);
    if (!this.#isOpen) return;
    this.#mark = { ...this.#mark, rewinds: this.#unheard(this.#mark) };
    this.#schedule();
  }

  #unheard({ rewinds }: HistoryMark): HistoryMark['rewinds'] {
    return rewinds?.filter(({ id }) => !this.#heard.has(id));
  }

  #settle(isSettled: (notice: Notice) => boolean): number {
    const { notices } = this.#mark;
    const left = notices.filter((notice) => !isSettled(notice));
    const count = notices.length - left.length;
    if (!this.#isOpen || count === 0) return 0;
    this.#mark = { ...this.#mark, notices: left };
    this.#write(false);
    this.#options.onChange();
    return count;
  }

  /** Notes from the writer's reports the last commit, the last replicated one, and how far the replica is behind. */
  told(reports: Readonly<Record<string, LagReport>>): void {
    for (const [database, report] of Object.entries(reports)) {
      const { lastCommit, confirmed } = report;
      if (lastCommit.session === undefined && lastCommit.ordinal > 0) this.#isExact = false;
      const known = this.#of(database);
      const local = moved(known.local, lastCommit);
      const replicated = moved(known.replicated, confirmed);
      const behind = behindBy(known.behind, report, Date.now());
      if (local === known.local && replicated === known.replicated && behind === known.behind) continue;
      const beginning = known.beginning ?? (known.isBegunAnew ? local?.session : undefined);
      this.#move(database, {
        ...known,
        local,
        replicated,
        behind,
        ...(beginning !== undefined && { beginning }),
      });
    }
  }

  /** How far the replica was behind each database when the system before this one ended. */
  get behind(): Readonly<Record<string, Pick<LagReport, 'lagMs' | 'unconfirmedBytes'>>> {
    const nowMs = Date.now();
    return Object.fromEntries(
      Object.entries(this.#mark.databases).flatMap(([database, { behind }]) => {
        if (!behind) return [];
        const { sinceMs, unconfirmedBytes } = behind;
        return [[database, { lagMs: Math.max(0, nowMs - sinceMs), unconfirmedBytes }]];
      }),
    );
  }

  /** Takes note of what Litestream has uploaded. */
  confirmed({ database, generation, segment }: Confirmation): void {
    const known = this.#of(database);
    const generations = known.generations.includes(generation)
      ? known.generations
      : [...known.generations, generation].slice(-GENERATIONS_MAX);
    this.#move(database, { ...known, segment: segment ?? known.segment, generations });
  }

  /**
   * Writes the mark and syncs it to disk; later reports change nothing.
   * @param isFinal whether the writer has made its last commit, and Litestream its last upload
   */
  close(isFinal: boolean): void {
    if (!this.#isOpen) return;
    this.#mark = { ...this.#mark, isFinal: isFinal && this.#isExact };
    this.#write(true);
    this.#isOpen = false;
  }

  #of(database: string): DatabaseMark {
    return this.#mark.databases[database] ?? emptyMark();
  }

  #move(database: string, mark: DatabaseMark): void {
    if (!this.#isOpen) return;
    this.#mark = { ...this.#mark, databases: { ...this.#mark.databases, [database]: mark } };
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => this.#write(false), WRITE_DELAY_MS).unref();
  }

  #write(isToSync: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { dataDir, log } = this.#options;
    const databases = Object.entries(this.#mark.databases).map(([database, mark]) => {
      const inode = statSync(databasePath(dataDir, database), { throwIfNoEntry: false })?.ino;
      return [database, { ...mark, inode }] as const;
    });
    const mark = { ...this.#mark, databases: Object.fromEntries(databases) };
    const text = JSON.stringify(mark);
    if (text === this.#written && !isToSync) return;
    try {
      writeMark(dataDir, mark, isToSync);
      this.#written = text;
      this.#isWritable = true;
    } catch (err) {
      if (this.#isWritable) log.warn({ err }, 'what was told of the databases could not be kept on disk');
      this.#isWritable = false;
    }
  }
}

/** @returns `known` itself, so that nothing is written, where its oldest commit and its bytes are still the same */
function behindBy(
  known: Behind | undefined,
  { lagMs, unconfirmedBytes }: LagReport,
  nowMs: number,
): Behind | undefined {
  if (lagMs < BEHIND_MIN_MS) return undefined;
  const sinceMs = nowMs - lagMs;
  const isSame = known !== undefined && Math.abs(known.sinceMs - sinceMs) < BEHIND_MIN_MS;
  if (!isSame) return { sinceMs, unconfirmedBytes };
  return known.unconfirmedBytes === unconfirmedBytes ? known : { ...known, unconfirmedBytes };
}

/**
 * @returns `known` itself where the report names no position (before the first commit, or of a release without
 *   sessions), or the same commit: a heartbeat changes only the time
 */
function moved(known: ToldPosition | undefined, told: CommitMark | undefined): ToldPosition | undefined {
  if (told?.session === undefined || told.ordinal === 0) return known;
  const { session, ordinal, atMs } = told;
  return known?.session === session && known.ordinal === ordinal ? known : { session, ordinal, atMs };
}
