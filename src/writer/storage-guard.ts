import { Failure } from '../platform/errors.ts';
import { freeDiskMb } from '../platform/free-disk.ts';
import type { Logger } from '../platform/log.ts';

const MB = 1024 * 1024;
/** Writes are accepted again when free disk exceeds the reserve by this factor, so that the state does not flap. */
const HYSTERESIS = 1.1;
/** Free disk below this multiple of the reserve, or a backlog above this share of its maximum, gives a warning. */
const DISK_SHORT = 1.5;
const BACKLOG_LARGE = 0.75;

export interface StorageGuardOptions {
  readonly dataDir: string;
  /** Free disk space that writes must leave; 0: no reserve. */
  readonly diskReserveMb: number;
  /** Committed bytes that may wait for the replica. */
  readonly backlogMaxMb: number;
  readonly log: Logger;
}

/**
 * Refuses writes before the disk is full. To tell clients to retry later is better than a disk that fills in the middle
 * of a commit, or a Litestream that cannot copy the WAL.
 *
 * States: open → closed (`look` finds too little free disk, or too large a backlog) → open (`look` finds clearly enough
 * again). Open or closed → closed for good (`refuse`).
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

  /** Why writes will soon be refused if the trend goes on; undefined when they will not, or are refused already. */
  get nearBecause(): string | undefined {
    return this.#closedBecause === undefined ? this.#nearBecause : undefined;
  }

  /** Whether free disk is close to the reserve, or below it. */
  get isDiskShort(): boolean {
    return this.#isDiskShort;
  }

  /** The failure for a client that wants to write; undefined when writes are accepted. */
  get refusal(): Failure | undefined {
    if (this.#closedBecause === undefined) return undefined;
    const code = this.#isForGood ? 'replica_in_use' : 'storage_reserved';
    return new Failure(code, `Nothing was written: ${this.#closedBecause}`, { retryAfterSeconds: 5 });
  }

  /** Refuses writes for good: another system uses the replica, and what is written here would be lost. */
  refuse(because: string): void {
    this.#isForGood = true;
    this.#closedBecause = because;
  }

  /** Checks the disk and the backlog. @param backlogBytes committed bytes that the replica lacks */
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
