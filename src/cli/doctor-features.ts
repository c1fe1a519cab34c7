import { existsSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import type { CheckContext, DoctorCheck } from '../contract/feature.ts';
import { type Finding, type Found, warning } from '../contract/finding.ts';
import { appConfigOf } from '../features/app-settings.ts';
import { features } from '../features/features.ts';
import { databasePath } from '../replication/litestream-config.ts';
import { openReader } from '../sqlite/open.ts';

/** @returns what each feature finds out about itself, in the order of the features */
export async function checkFeatures(config: Config): Promise<readonly Finding[]> {
  const appConfig = await appConfigOf(config);
  const findings: Finding[] = [];
  for (const { database, doctor } of features) {
    const path = databasePath(config.DATA_DIR, database);
    for (const [name, check] of Object.entries((await doctor?.()) ?? {}))
      findings.push({ name, ...(await found(check, path, appConfig)) });
  }
  return findings;
}

async function found(check: DoctorCheck, path: string, config: CheckContext['config']): Promise<Found> {
  try {
    if (!existsSync(path)) return await check({ db: undefined, config });
    const db = openReader(path);
    try {
      return await check({ db, config });
    } finally {
      db.close();
    }
  } catch (error) {
    return warning(
      `not looked at: ${(error as Error).message}`,
      'A start restores or migrates the database; see the message of npm start.',
    );
  }
}
