import type { Database } from 'better-sqlite3';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { isLoopbackHost } from '../loopback.ts';
import { prepareQueries } from './queries.ts';

const CREATE = 'npm run keys -- create --name admin --scope admin';

/**
 * @returns what to know of a system without keys; undefined with keys
 * @throws Failure config_invalid when others than this machine could call while there are no keys
 */
export function checkStart(db: Database, { HOST }: Pick<Config, 'HOST'>): string | undefined {
  if (prepareQueries(db).any()) return undefined;
  if (isLoopbackHost(HOST))
    return `There are no keys: put no proxy in front before you have made one: ${CREATE}`;
  throw new Failure(
    'config_invalid',
    `HOST=${HOST} would open the API to other machines, and there are no keys yet. Create one, then start again: ${CREATE}`,
  );
}
