import { databaseNames, features } from '../features.ts';
import type { Schema } from '../messages/positions.ts';
import { type Owner, readMigrations } from './migrations.ts';

/** Whose tables a database has: the writer's own, then those of the features. */
export function ownersOf(database: string): readonly Owner[] {
  const own = { name: 'writer', migrations: new URL('./migrations/', import.meta.url) };
  return [own, ...features.filter((feature) => feature.database === database)];
}

/** @returns the number of the newest migration that this code has of each owner, by database */
export function ownSchema(): Schema {
  const newest = ({ name, migrations }: Owner) =>
    [name, readMigrations(migrations).at(-1)?.number ?? 0] as const;
  return Object.fromEntries(
    databaseNames().map((database) => [database, Object.fromEntries(ownersOf(database).map(newest))]),
  );
}
