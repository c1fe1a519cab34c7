/** `time`: a random time that can be restored. `oldest`: the oldest snapshot with the segments that follow it. */
export type PastKind = 'time' | 'oldest';

/** The last drill that proved a past state of the databases. */
export interface PastDrill {
  readonly kind: PastKind;
  /** When it took place; milliseconds since the epoch. */
  readonly atMs: number;
  /** What is wrong, in words; undefined when nothing is. */
  readonly reason: string | undefined;
  /** By database, what was restored, or why nothing was; for people. */
  readonly restored: Readonly<Record<string, string>>;
}

/** How the drill of one database went. */
export interface DatabaseDrill {
  readonly ok: boolean;
  /** What is wrong, in words without any content of the database; undefined when nothing is. */
  readonly reason: string | undefined;
  /** Whether the fault is in the replica: its newest state is not complete, or cannot be restored. */
  readonly isDamaged?: boolean | undefined;
  readonly durationMs: number;
  /** Size of the restored database. */
  readonly restoredBytes: number;
  /** Rows that were compared with the restored copy. */
  readonly rowsCompared: number;
  /** Rows that changed meanwhile, so that it is unknown whether the restored copy has them right. */
  readonly rowsSkipped: number;
}

/** What a standby's drill says about a takeover. */
export interface Takeover {
  /** How long it took to restore the databases, without the other steps of a takeover. */
  readonly restoreMs: number;
  /** Why this code's migrations cannot be applied to them; undefined when they were. */
  readonly refusal?: string | undefined;
  /** Why the migrations could not be tried. */
  readonly untried?: string | undefined;
}

/** How a drill went. */
export interface DrillResult extends DatabaseDrill {
  /** Undefined where this system does not stand by. */
  readonly takeover?: Takeover | undefined;
  /** The result for a past state; undefined where none was due. */
  readonly past?: PastDrill | undefined;
  /** When it ended; UTC. */
  readonly at: string;
  readonly databases: Readonly<Record<string, DatabaseDrill>>;
}

/**
 * @param databases by name
 * @param endedAtMs milliseconds since the epoch
 * @returns the result of all databases together
 */
export function resultOf(
  databases: Readonly<Record<string, DatabaseDrill>>,
  endedAtMs: number,
  durationMs: number,
): DrillResult {
  const all = Object.values(databases);
  const sum = (value: (drill: DatabaseDrill) => number) =>
    all.reduce((total, drill) => total + value(drill), 0);
  const reasons = Object.entries(databases).flatMap(([name, { reason }]) =>
    reason ? [`${name}: ${reason}`] : [],
  );
  return {
    ok: all.every(({ ok }) => ok),
    reason: reasons.length === 0 ? undefined : reasons.join('; '),
    at: new Date(endedAtMs).toISOString(),
    durationMs,
    restoredBytes: sum(({ restoredBytes }) => restoredBytes),
    rowsCompared: sum(({ rowsCompared }) => rowsCompared),
    rowsSkipped: sum(({ rowsSkipped }) => rowsSkipped),
    databases,
  };
}

/** @returns the result with that of a past state */
export function withPast(result: DrillResult, past: PastDrill): DrillResult {
  const reasons = [result.reason, past.reason].filter((reason) => reason !== undefined);
  return {
    ...result,
    ok: result.ok && past.reason === undefined,
    reason: reasons.join('; ') || undefined,
    past,
  };
}

/** @returns the result of a drill that failed before it reached a database */
export function failedResult(reason: string, endedAtMs: number, durationMs: number): DrillResult {
  return { ...resultOf({}, endedAtMs, durationMs), ok: false, reason };
}
