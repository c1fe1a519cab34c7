import type { LagReport } from '../messages/messages.ts';
import type { LeasePositions, Schema } from '../messages/positions.ts';

/** How far apart the times are up to which the replica is told to be complete: each is a message. */
const COMPLETE_STEP_MS = 5000;

type PositionsMessage = { readonly kind: 'positions' } & LeasePositions;

/** What the record of the replica is to say of the databases: told to the process that keeps it when it has changed. */
export class RecordPositions {
  readonly #send: (message: PositionsMessage) => void;
  #positions: LeasePositions = { schema: {}, confirmed: {} };

  /** @param send reaches the process in the place, where there is one */
  constructor(send: (message: PositionsMessage) => void) {
    this.#send = send;
  }

  /** For a process that is new in the place. */
  get message(): PositionsMessage {
    return { kind: 'positions', ...this.#positions };
  }

  /** What the databases have. */
  migrated(schema: Schema, needs: Schema | undefined): void {
    this.#describe({ ...this.#positions, schema, needs });
  }

  /** What the databases are about to have beside that. @returns all of it */
  announced(schema: Schema, needs: Schema): LeasePositions {
    // Of whoever does not tell them apart, each is needed.
    const { schema: before, needs: neededBefore = before } = this.#positions;
    this.#positions = {
      ...this.#positions,
      schema: raised(before, schema),
      needs: raised(neededBefore, needs),
    };
    return this.#positions;
  }

  /** How far the replica is. */
  told(reports: Readonly<Record<string, LagReport>>): void {
    const confirmed = Object.fromEntries(
      Object.entries(reports).flatMap(([database, report]) =>
        report.confirmed ? [[database, report.confirmed]] : [],
      ),
    );
    const completeUntilMs = Object.fromEntries(
      Object.entries(reports).flatMap(([database, { completeUntilMs: untilMs }]) =>
        untilMs === undefined ? [] : [[database, untilMs - (untilMs % COMPLETE_STEP_MS)]],
      ),
    );
    this.#describe({ ...this.#positions, confirmed, completeUntilMs });
  }

  /** Nothing is committed any more. @param last the very last commit of each database */
  stopped(last: LeasePositions['last']): void {
    this.#describe({ ...this.#positions, last });
  }

  #describe(positions: LeasePositions): void {
    const isNew = JSON.stringify(positions) !== JSON.stringify(this.#positions);
    this.#positions = positions;
    if (isNew) this.#send(this.message);
  }
}

/** @returns the newest migration of each owner in either */
function raised(before: Schema, by: Schema): Schema {
  const all = { ...before };
  for (const [database, owners] of Object.entries(by)) {
    const known = { ...all[database] };
    for (const [owner, number] of Object.entries(owners)) known[owner] = Math.max(number, known[owner] ?? 0);
    all[database] = known;
  }
  return all;
}
