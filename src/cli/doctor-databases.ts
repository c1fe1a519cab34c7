import { existsSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { type Finding, type Found, ok, problem, warning } from '../contract/finding.ts';
import { databaseNames } from '../features/features.ts';
import { ownersOf } from '../features/owners.ts';
import { databasePath } from '../replication/litestream-config.ts';
import { compatibilityOf } from '../sqlite/compatibility.ts';
import { isDamage } from '../sqlite/damage.ts';

/** @returns what a start would do with each database that is there */
export function checkDatabases(config: Config): readonly Finding[] {
  return databaseNames()
    .filter((database) => existsSync(databasePath(config.DATA_DIR, database)))
    .map((database) => ({ name: 'database', ...check(config, database) }));
}

function check({ DATA_DIR, replica }: Config, database: string): Found {
  const path = databasePath(DATA_DIR, database);
  try {
    const { pending, refusal } = compatibilityOf(path, ownersOf(database));
    if (refusal !== undefined) {
      return problem(`${path}: ${refusal}`, 'Do that before you start this release.');
    }
    const upgrade = pending.length === 0 ? '' : `, which a start upgrades by ${pending.length} migrations`;
    return ok(`${path}${upgrade}`);
  } catch (error) {
    const detail = `${path}: ${(error as Error).message}`;
    if (!isDamage(error)) return warning(detail, 'A start may say more of it.');
    return replica.type === 'file' && !existsSync(replica.path)
      ? problem(detail, 'Nothing is there to restore it from: bring back a copy, or move it away.')
      : warning(detail, 'A start restores it from the replica, if that has it.');
  }
}
