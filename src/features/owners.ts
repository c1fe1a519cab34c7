import type { Schema } from '../messages/positions.ts';
import { type Owner, readMigrations } from '../sqlite/migrations.ts';
import { databaseNames, features } from './features.ts';

/** @returns the owners of the tables of a database: the writer itself, then the features */
export function ownersOf(database: string): readonly Owner[] {
  const own = { name: 'writer', migrations: new URL('../sqlite/migrations/', import.meta.url) };
  return [own, ...features.filter((feature) => feature.database === database)];
}

/** @returns for each database, the number of the newest migration of each owner in this code */
export function ownSchema(): Schema {
  const newest = ({ name, migrations }: Owner) =>
    [name, readMigrations(migrations).at(-1)?.number ?? 0] as const;
  return Object.fromEntries(
    databaseNames().map((database) => [database, Object.fromEntries(ownersOf(database).map(newest))]),
  );
}
