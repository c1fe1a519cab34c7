import type { Abandoned, History } from './history.ts';
import type { Rewind } from './rewind.ts';

/** What a start or a restore has done with one database, as far as the next one has to know. */
export type MarkChange =
  /** It has all that was told, or that is told to be missing, and all that the replica has. */
  | {
      readonly kind: 'compared';
      readonly inode: number;
      readonly history: History;
      /** All that are in the replica. */
      readonly generations: readonly string[];
      /** What was uploaded is not all there: that is known now, and another generation begins. */
      readonly isReplicaBroken: boolean;
    }
  /** It came from the replica. */
  | {
      readonly kind: 'restored';
      readonly inode: number;
      readonly history: History;
      readonly generations: readonly string[];
      /** What was given up with it. */
      readonly abandoned: readonly Abandoned[];
      /** A whole one was there, which the replica was ahead of. */
      readonly isBecauseAhead: boolean;
    }
  | { readonly kind: 'new'; readonly isBegunAnew: boolean }
  /** Nobody can compare it with the replica yet; why. */
  | { readonly kind: 'waits'; readonly because: string };

/** One database that takes another's place. */
export interface ReplacedDatabase {
  readonly database: string;
  /** Where it is until then, on the data folder's file system. */
  readonly from: string;
  /** Where that goes what is in its place. */
  readonly folder: string;
  readonly change: MarkChange;
  /** What it takes the place of can be read, and has no commit that it lacks. */
  readonly isContaining?: boolean | undefined;
  /** What the features are to hear of; undefined where nothing is given up. */
  readonly rewind?: Rewind | undefined;
}

/** Databases that take others' places together: all of them, or none. */
export interface Replacement {
  readonly databases: readonly ReplacedDatabase[];
}
