/** Names a migration, and tells whether releases without it can use a database that has it. */
export interface MigrationRef {
  readonly owner: string;
  /** Its file's name. */
  readonly name: string;
  readonly isCompatible: boolean;
}

/** The result for one database; JSON. */
export interface DryRunOfDatabase {
  /** The migrations applied to its copy, in order. Empty: it was not copied, and the folder has a link to it. */
  readonly applied: readonly MigrationRef[];
  /** How long that took, the commit included; writes will wait as long. 0 where none was applied. */
  readonly durationMs: number;
}

/** By database; JSON. */
export type DryRunResult = Readonly<Record<string, DryRunOfDatabase>>;
