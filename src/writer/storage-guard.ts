import { Failure } from '../platform/errors.ts';
import { freeDiskMb } from '../platform/free-disk.ts';
import type { Logger } from '../platform/log.ts';

const MB = 1024 * 1024;
/** Writes come back when there is this much more than the reserve, so that the state does not flutter. */
const HYSTERESIS = 1.1;
/** With less than this much more than the reserve, or more than this share of the backlog, writes are soon refused. */
const DISK_SHORT = 1.5;
const BACKLOG_LARGE = 0.75;

export interface StorageGuardOptions {
  readonly dataDir: string;
  /** Free disk that writes must leave; 0 is none. */
  readonly diskReserveMb: number;
  /** Committed bytes that may wait for the replica. */
  readonly backlogMaxMb: number;
  readonly log: Logger;
}

/**
 * Stops writes before the disk is full: a database that meets a full disk in the middle of a commit, or a Litestream
 * that cannot copy the WAL, is worse off than clients that are told to come back. States: open → closed (`look` finds
 * too little free disk, or too large a backlog) → open (there is clearly enough again). Either → closed for good (`refuse`).
 */
export class StorageGuard {
  readonly #options: StorageGuardOptions;
  #closedBecause: string | undefined;
  #isForGood = false;
  #isDiskShort = false;
  #nearBecause: string | undefined;

  constructor(options: StorageGuardOptions) {
    this.#options = options;
  }

  /** Why writes are refused at the moment; undefined when they are not. */
  get closedBecause(): string | undefined {
    return this.#closedBecause;
  }

  /** Why writes will soon be refused, should it go on; undefined when they will not, or are already. */
  get nearBecause(): string | undefined {
    return this.#closedBecause === undefined ? this.#nearBecause : undefined;
  }

  /** The disk has little more than its reserve. */
  get isDiskShort(): boolean {
    return this.#isDiskShort;
  }

  /** Nothing is accepted here any more. */
  get isClosedForGood(): boolean {
    return this.#isForGood;
  }

  /** What whoever wants to write is told; undefined when writes are accepted. */
  get refusal(): Failure | undefined {
    if (this.#closedBecause === undefined) return undefined;
    const code = this.#isForGood ? 'replica_in_use' : 'storage_reserved';
    return new Failure(code, `Nothing was written: ${this.#closedBecause}`, { retryAfterSeconds: 5 });
  }

  /** The replica is another's: whatever is written here would be lost. */
  refuse(because: string): void {
    this.#isForGood = true;
    this.#closedBecause = because;
  }

  /** @param backlogBytes what has been committed and is not in the replica */
  look(backlogBytes: number): void {
    if (this.#isForGood) return;
    const before = this.#closedBecause;
    this.#closedBecause = this.#judge(backlogBytes, before === undefined ? 1 : HYSTERESIS);
    const { log } = this.#options;
    if (this.#closedBecause && !before) log.error(`writes are refused: ${this.#closedBecause}`);
    if (!this.#closedBecause && before) log.info('writes are accepted again');
  }

  #judge(backlogBytes: number, margin: number): string | undefined {
    const { dataDir, diskReserveMb, backlogMaxMb } = this.#options;
    const freeMb = freeDiskMb(dataDir);
    const backlogMb = Math.ceil(backlogBytes / MB);
    this.#isDiskShort = freeMb < diskReserveMb * DISK_SHORT;
    this.#nearBecause = this.#isDiskShort
      ? `${freeMb} MB of disk are free: writes are refused below DISK_RESERVE_MB=${diskReserveMb}`
      : backlogMb > backlogMaxMb * BACKLOG_LARGE
        ? `${backlogMb} MB wait for the replica: writes are refused beyond REPLICA_BACKLOG_MAX_MB=${backlogMaxMb}`
        : undefined;
    if (freeMb < diskReserveMb * margin) {
      return `${freeMb} MB of disk are free, and DISK_RESERVE_MB keeps ${diskReserveMb}`;
    }
    if (backlogMb * margin > backlogMaxMb) {
      return `${backlogMb} MB wait for the replica, and REPLICA_BACKLOG_MAX_MB is ${backlogMaxMb}`;
    }
    return undefined;
  }
}
