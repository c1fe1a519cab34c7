import type { Stored } from '../store/store.ts';

/** The name of the record, in the replica. */
export const LEASE_NAME = 'lease.json';

export type { Stored };

/** Where the record is. Whatever cannot be done now throws, with the reason as its message. */
export interface LeaseStore {
  /** Whether the kernel tells who lives, beside the record. */
  readonly isLockable: boolean;
  /** @returns whether nobody else under this kernel holds the replica; it is kept until `unlock` or the end of the process */
  lock(): boolean;
  unlock(): void;
  /** @returns undefined where there is none */
  read(): Promise<Stored | undefined>;
  /**
   * @param over what is to be replaced, as it was read; undefined where there was none
   * @returns whether it was written; not where something else stands there by now
   */
  write(text: string, over: Stored | undefined): Promise<boolean>;
  /** @returns the folders of epochs in the replica */
  epochs(): Promise<readonly string[]>;
  /** @returns whether of two who write at once one is refused */
  isConditional(): Promise<boolean>;
}
