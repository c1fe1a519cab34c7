import { join } from 'node:path';
import { features } from '../features.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Owner } from '../sqlite/migrations.ts';
import { type Database, openWriter } from '../sqlite/open.ts';
import { type UpgradeTarget, upgrade } from '../sqlite/upgrade.ts';
import { dryRun } from './dry-run.ts';

/**
 * Opens the databases read-write and brings the tables of all of them up to date, as a whole or not at all.
 * @returns them by name
 * @throws Failure migration_mismatch, or why one of the features lets nothing start; nothing is then changed
 */
export async function openDatabases(
  names: readonly string[],
  runtime: Runtime,
): Promise<Map<string, Database>> {
  const { config, log, send } = runtime;
  const targets = names.map((database): UpgradeTarget => {
    const db = openWriter(join(config.DATA_DIR, `${database}.db`));
    return { database, db, owners: ownersOf(database) };
  });
  const databases = new Map(targets.map(({ database, db }) => [database, db]));
  const checks = await Promise.all(
    features.map(
      async ({ database, checkStart }) => [databases.get(database), await checkStart?.()] as const,
    ),
  );
  const applied = upgrade(targets, {
    // The time that a start may take begins anew with each, and each blocks for as long as it takes.
    before(detail) {
      runtime.watch();
      send({ kind: 'progress', detail });
    },
    beforeCommit() {
      for (const [db, check] of checks) if (db) check?.(db, config);
    },
  });
  for (const migration of applied) log.info({ migration }, `applied migration ${migration}`);
  return databases;
}

/**
 * @throws Failure migration_mismatch when what this code would migrate cannot be, storage_full when there is no room to
 *   try it; nothing is changed
 */
export function dryRunMigrations(database: string, { config, send, watch }: Runtime): void {
  dryRun({
    path: join(config.DATA_DIR, `${database}.db`),
    scratchPath: join(config.DATA_DIR, 'run', `dry-run-${database}.db`),
    owners: ownersOf(database),
    reserveMb: config.DISK_RESERVE_MB,
    before(step) {
      watch();
      send({ kind: 'progress', detail: `dry run on a copy of ${database}: ${step}` });
    },
  });
}

function ownersOf(database: string): readonly Owner[] {
  const own = { name: 'writer', migrations: new URL('./migrations/', import.meta.url) };
  return [own, ...features.filter((feature) => feature.database === database)];
}
