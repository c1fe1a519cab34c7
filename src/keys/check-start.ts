import type { Database } from 'better-sqlite3';
import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import { isLoopbackHost } from '../platform/loopback.ts';
import { prepareQueries } from './queries.ts';

const CREATE = 'npm run keys -- create --name admin --scope admin';

/** The settings that decide who could call while there are no keys. */
type Reach = Pick<Config, 'HOST' | 'CORS_ORIGINS'>;

/**
 * @returns a notice for the operator of a system without keys; undefined when there are keys
 * @throws Failure config_invalid when there are no keys and callers outside of this machine could reach the system
 */
export function checkStart(db: Database, config: Reach): string | undefined {
  if (prepareQueries(db).any()) return undefined;
  const problem = keylessProblem(config);
  if (problem === undefined)
    return `There are no keys: put no proxy in front before you have made one: ${CREATE}`;
  throw new Failure(
    'config_invalid',
    `${problem}, and there are no keys yet. Create one, then start again: ${CREATE}`,
  );
}

/** @returns why a start without keys is refused, as the beginning of a sentence; undefined when it is not */
export function keylessProblem({ HOST, CORS_ORIGINS }: Reach): string | undefined {
  if (!isLoopbackHost(HOST)) return `HOST=${HOST} would open the API to other machines`;
  if (CORS_ORIGINS.includes('*')) return 'CORS_ORIGINS=* would open the API to the pages of every site';
  return undefined;
}
