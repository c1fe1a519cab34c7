import type { CheckContext } from '../../../src/contract/feature.ts';
import { type Found, ok, warning } from '../../../src/contract/finding.ts';

export function checkNotes({ db }: CheckContext): Found {
  if (db === undefined) return ok('none yet');
  const count = db.prepare<[], number>("SELECT count(*) FROM notes WHERE text = 'broken'").pluck().get()!;
  return count === 0 ? ok('none is broken') : warning(`${count} are broken`, 'put them anew');
}
