import t from 'tap';
import { addCodes, Failure } from '../../src/platform/errors.ts';

t.test('a failure is known by its code, also one of another copy of the module', async (t) => {
  // By another address it is another module, as in a package of an app.
  const copy: typeof import('../../src/platform/errors.ts') = await import(
    new URL('../../src/platform/errors.ts?copy', import.meta.url).href
  );
  t.not(copy.Failure, Failure);
  addCodes({ link_taken: { title: 'There is such a link', httpStatus: 409, exitCode: 65 } });
  const foreign: unknown = new copy.Failure('link_taken' as 'usage', 'There is a link a');
  t.equal(foreign instanceof Failure, true);
  t.equal(
    foreign instanceof Failure && foreign.meaning.httpStatus,
    409,
    'the codes are those of the process',
  );
  for (const other of [
    new Error('x'),
    Object.assign(new Error('x'), { code: 'ENOENT', options: {} }),
    { code: 'usage' },
    null,
  ]) {
    t.equal(other instanceof Failure, false);
  }
});
