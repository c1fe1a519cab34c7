import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { checkStart, keylessProblem } from '../keys/check-start.ts';
import { openReader } from '../sqlite/open.ts';
import type { Found } from './doctor-checks.ts';

const CREATE = 'npm run keys -- create --name admin --scope admin';
const KEYLESS: Found = {
  result: 'ok',
  detail: `no keys: only this machine is served; put no proxy in front before: ${CREATE}`,
  remedy: null,
};

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
      return checkStart(db, config) === undefined
        ? { result: 'ok', detail: 'every request needs one', remedy: null }
        : KEYLESS;
    } finally {
      db.close();
    }
  } catch (error) {
    if (error instanceof Failure)
      return { result: 'problem', detail: error.message, remedy: `Run: ${CREATE}` };
    return {
      result: 'warning',
      detail: `the keys cannot be read: ${(error as Error).message}`,
      remedy: 'A start restores or migrates the database; see the message of npm start.',
    };
  }
}
