import { chmodSync } from 'node:fs';
import t from 'tap';
import { goneFolder } from '../../src/sqlite/data-dir.ts';
import { temporaryFolder } from '../support/system.ts';

const NOBODY = 65534;
const skip = process.getuid?.() === 0 ? false : 'only root can act as somebody else';

t.test('a folder that is closed to its user for now is not gone', { skip }, (t) => {
  const folder = temporaryFolder(t);
  const before = process.cwd();
  process.chdir(folder);
  chmodSync(folder, 0o700);
  process.seteuid?.(NOBODY);
  const gone = goneFolder(folder);
  process.seteuid?.(0);
  process.chdir(before);
  t.equal(gone, undefined);
  t.end();
});
