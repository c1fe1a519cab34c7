import type { LeasePositions, Schema } from '../../messages/positions.ts';
import type { Rehearsal } from '../../messages/rehearsal.ts';
import { restoreNeedsBytes } from '../drill/space.ts';

const MB = 1024 * 1024;

export interface FitnessOptions {
  /** The newest migrations of this code. */
  readonly own: Schema;
  /** Free bytes on the disk that the databases are restored to. */
  readonly freeBytes: () => number;
}

type Told = Pick<LeasePositions, 'schema' | 'needs'>;

/**
 * Tells whether this system could lead with the databases that a record describes: its code has the migrations that
 * they need, the migrations that it would apply were tried on a copy, and there is room. State: the last trial
 * (`rehearsed`).
 */
export class Fitness {
  readonly #options: FitnessOptions;
  #rehearsal: Rehearsal | undefined;

  constructor(options: FitnessOptions) {
    this.#options = options;
  }

  rehearsed(rehearsal: Rehearsal): void {
    this.#rehearsal = rehearsal;
  }

  /** Whether this code would apply migrations to these databases; those that the record does not name are left out. */
  isNewer({ schema }: Told): boolean {
    return differing(this.#options.own, schema).length > 0;
  }

  /**
   * @param isHere the databases are here already: nothing is restored, and a start migrates them as usual
   * @returns why this system could not lead, for people; undefined when it could
   */
  heldBackBecause(record: Told, isHere: boolean): string | undefined {
    const lacking = differing(record.needs ?? record.schema, this.#options.own);
    if (lacking.length > 0)
      return `its code lacks ${lacking.join(', ')}, which the databases of the leader have: deploy the leader's release here`;
    if (isHere) return undefined;
    return this.#untried(record) ?? this.#lackOfRoom();
  }

  #untried(record: Told): string | undefined {
    if (!this.isNewer(record)) return undefined;
    const names = differing(this.#options.own, record.schema).join(', ');
    const { refusal, untried } = this.#rehearsal ?? {};
    if (refusal !== undefined) return `its code would apply ${names}, and that fails: ${refusal}`;
    if (this.#rehearsal && untried === undefined) return undefined;
    return `its code would apply ${names}, and that has not been tried on a copy yet${untried === undefined ? '' : `: ${untried}`}`;
  }

  #lackOfRoom(): string | undefined {
    // Before the first drill the size is not known; what any restore needs still detects a full disk.
    const neededBytes = restoreNeedsBytes(this.#rehearsal?.restoredBytes ?? 0);
    const freeBytes = this.#options.freeBytes();
    if (freeBytes >= neededBytes) return undefined;
    return `the databases take ${Math.ceil(neededBytes / MB)} MB, and ${Math.floor(freeBytes / MB)} MB of disk are free`;
  }
}

/** @returns the newest migrations that `one` names and `other` lacks, in the databases that both name */
function differing(one: Schema, other: Schema): readonly string[] {
  return Object.entries(one).flatMap(([database, owners]) => {
    const known = other[database];
    if (!known) return [];
    return Object.entries(owners).flatMap(([owner, number]) =>
      number > (known[owner] ?? 0) ? [`migration ${number} of ${owner} in ${database}`] : [],
    );
  });
}
