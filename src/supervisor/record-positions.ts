import type { LagReport } from '../messages/messages.ts';
import type { LeasePositions, Schema } from '../messages/positions.ts';

/** The time up to which the replica is complete is rounded down to this step, since each change is a message. */
const COMPLETE_STEP_MS = 5000;

type PositionsMessage = { readonly kind: 'positions' } & LeasePositions;

/** What the record of the replica says of the databases. Each change is sent to the process that keeps the record. */
export class RecordPositions {
  readonly #send: (message: PositionsMessage) => void;
  #positions: LeasePositions = { schema: {}, confirmed: {} };

  /** @param send reaches the process in the slot, where there is one */
  constructor(send: (message: PositionsMessage) => void) {
    this.#send = send;
  }

  /** For a process that has just started. */
  get message(): PositionsMessage {
    return { kind: 'positions', ...this.#positions };
  }

  /** The migrations that the databases have, and those that a release must know. */
  migrated(schema: Schema, needs: Schema | undefined): void {
    this.#describe({ ...this.#positions, schema, needs });
  }

  /** The migrations that the databases are about to have beside these. @returns all positions */
  announced(schema: Schema, needs: Schema): LeasePositions {
    // Where it is not told which of them a release must know, it must know each.
    const { schema: before, needs: neededBefore = before } = this.#positions;
    this.#positions = {
      ...this.#positions,
      schema: raised(before, schema),
      needs: raised(neededBefore, needs),
    };
    return this.#positions;
  }

  /** How far the replica is, by database. */
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
