/** Names a migration, and tells whether releases that do not have it go on with a database that does. */
export interface MigrationRef {
  readonly owner: string;
  /** Of its file. */
  readonly name: string;
  readonly isCompatible: boolean;
}

/** What became of one database; JSON. */
export interface DryRunOfDatabase {
  /** What it lacked and its copy has now, in order. Empty: it was not copied, and the folder has a link to it. */
  readonly applied: readonly MigrationRef[];
  /** How long that took, the commit included; writes will wait as long. 0 where nothing was applied. */
  readonly durationMs: number;
}

/** By database; JSON. */
export type DryRunResult = Readonly<Record<string, DryRunOfDatabase>>;
