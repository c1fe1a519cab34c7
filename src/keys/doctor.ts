import { existsSync } from 'node:fs';
import type { CheckContext } from '../contract/feature.ts';
import { type Found, ok, problem } from '../contract/finding.ts';
import { Failure } from '../platform/errors.ts';
import { checkStart, keylessProblem } from './check-start.ts';

const CREATE = 'npm run keys -- create --name admin --scope admin';
const KEYLESS = ok(`no keys: only this machine is served; put no proxy in front before: ${CREATE}`);

/** @returns whether there are keys, and whether a start without them would be refused */
export function checkKeys({ db, config }: CheckContext): Found {
  if (db === undefined) {
    const { replica } = config;
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
    return checkStart(db, config) === undefined ? ok('every request needs one') : KEYLESS;
  } catch (error) {
    if (error instanceof Failure) return problem(error.message, `Run: ${CREATE}`);
    throw error;
  }
}
