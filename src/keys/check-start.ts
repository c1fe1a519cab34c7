import type { Database } from 'better-sqlite3';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { isLoopbackHost } from '../loopback.ts';
import { prepareQueries } from './queries.ts';

/** @throws Failure config_invalid when others than this machine could call while there are no keys */
export function checkStart(db: Database, { HOST }: Config): void {
  if (isLoopbackHost(HOST) || prepareQueries(db).any()) return;
  throw new Failure(
    'config_invalid',
    `HOST=${HOST} would open the API to other machines, and there are no keys yet. Create one, then start again: npm run keys -- create --name admin --scope admin`,
  );
}
