import type { Config } from '../../config/config.ts';
import { openStore } from './open.ts';

/** The names in a database's folder: `generations` of Litestream 0.3; of 0.5 levels in a bucket, `ltx` in a folder. */
const OF_A_DATABASE = /^(?:generations|[0-9a-f]{4}|ltx)$/;

/** @returns the names of the databases that a replica has, sorted */
export async function databasesIn(config: Config, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const store = openStore({ config, env });
  const names: string[] = [];
  for (const name of await store.names(''))
    if ((await store.names(name)).some((part) => OF_A_DATABASE.test(part))) names.push(name);
  return names.sort();
}
