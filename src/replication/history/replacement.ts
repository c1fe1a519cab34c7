import type { Abandoned, History } from './history.ts';
import type { Rewind } from './rewind.ts';

/** What a start or a restore has done with one database, as far as the mark has to remember it. */
export type MarkChange =
  /** The database has all that the replica has, and all that was told but for what a notice names as missing. */
  | {
      readonly kind: 'compared';
      readonly inode: number;
      readonly history: History;
      /** All generations in the replica. */
      readonly generations: readonly string[];
      /** The replica does not hold exactly what was uploaded from here; another generation begins. */
      readonly isReplicaBroken: boolean;
    }
  /** The database came from the replica. */
  | {
      readonly kind: 'restored';
      readonly inode: number;
      readonly history: History;
      readonly generations: readonly string[];
      /** The commits that were given up with that. */
      readonly abandoned: readonly Abandoned[];
      /** Whether a sound database was there, and the replica was ahead of it. */
      readonly isBecauseAhead: boolean;
    }
  | { readonly kind: 'new'; readonly isBegunAnew: boolean }
  /** The database cannot be compared with the replica yet; `because` says why. */
  | { readonly kind: 'waits'; readonly because: string };

/** One database that takes another's place. */
export interface ReplacedDatabase {
  readonly database: string;
  /** The new file until it is moved, on the data folder's file system. */
  readonly from: string;
  /** Where the replaced files go. */
  readonly folder: string;
  readonly change: MarkChange;
  /** The replaced database can be read, and has no commit that the new one lacks. */
  readonly isContaining?: boolean | undefined;
  /** What the features must be told; undefined where no commit is given up. */
  readonly rewind?: Rewind | undefined;
}

/** Databases that take others' places together: all of them, or none. */
export interface Replacement {
  readonly databases: readonly ReplacedDatabase[];
}
