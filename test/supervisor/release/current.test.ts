import { readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Failure } from '../../../src/platform/errors.ts';
import {
  forgetMismatches,
  NOTHING_RAN,
  readCurrent,
  withRefusal,
  writeCurrent,
} from '../../../src/supervisor/release/current.js';
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

t.test(
  'when the databases were replaced, what they refused may be tried again, and nothing else',
  async (t) => {
    const store = temporaryFolder(t);
    const refusals = [
      ['a', new Failure('migration_mismatch', 'the databases are ahead')],
      ['b', new Failure('child_failed', 'it throws')],
    ] as const;
    for (const [hash, failure] of refusals)
      writeCurrent(store, { refused: withRefusal(readCurrent(store), hash, failure) });
    forgetMismatches(store);
    t.strictSame(
      readCurrent(store).refused.map(({ hash, reason, code }) => ({ hash, reason, code })),
      [{ hash: 'b', reason: 'it throws', code: 'child_failed' }],
    );
  },
);
