import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { checkStart, keylessProblem } from '../keys/check-start.ts';
import { openReader } from '../sqlite/open.ts';
import { type Found, ok, problem, warning } from './doctor-finding.ts';

const CREATE = 'npm run keys -- create --name admin --scope admin';
const KEYLESS = ok(`no keys: only this machine is served; put no proxy in front before: ${CREATE}`);

/** @returns whether there are keys, and what a start would refuse without them */
export function checkKeys(config: Config): Found {
  const { DATA_DIR, replica } = config;
  const path = join(DATA_DIR, 'main.db');
  if (!existsSync(path)) {
    const found = keylessProblem(config);
    if (found === undefined) return KEYLESS;
    const mayBeRestored = replica.type !== 'file' || existsSync(replica.path);
    return {
      result: mayBeRestored ? 'warning' : 'problem',
      detail: `${found}, and there is no database with keys here${
        mayBeRestored ? ' yet: a start is refused unless the replica holds one' : ''
      }`,
      remedy: `Create a key first: ${CREATE}`,
    };
  }
  try {
    const db = openReader(path);
    try {
      return checkStart(db, config) === undefined ? ok('every request needs one') : KEYLESS;
    } finally {
      db.close();
    }
  } catch (error) {
    if (error instanceof Failure) return problem(error.message, `Run: ${CREATE}`);
    return warning(
      `the keys cannot be read: ${(error as Error).message}`,
      'A start restores or migrates the database; see the message of npm start.',
    );
  }
}
