import { readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { NOTHING_RAN, readCurrent, writeCurrent } from '../../../src/supervisor/release/current.js';
import { temporaryFolder } from '../../support/system.ts';

t.test('a record that is not there, or is no record, says that nothing ran', async (t) => {
  const store = temporaryFolder(t);
  t.strictSame(readCurrent(store), NOTHING_RAN);
  writeFileSync(join(store, 'current'), '{"writer":');
  t.strictSame(readCurrent(store), NOTHING_RAN);
});

t.test('a record that cannot be read is not written over', async (t) => {
  const store = temporaryFolder(t);
  // No permission would not keep root from reading it; a link to itself does.
  symlinkSync('current', join(store, 'current'));
  t.throws(() => readCurrent(store), { code: 'ELOOP' });
  t.throws(() => writeCurrent(store, { writer: 'b' }), { code: 'ELOOP' });
  t.equal(readlinkSync(join(store, 'current')), 'current');
});
