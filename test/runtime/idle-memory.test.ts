import t from 'tap';
import { told } from './idle-memory-fixture.ts';

t.test('a process that has worked gives memory back when it has nothing to do', async (t) => {
  t.same(await told('idles'), { isCollected: true, isSmaller: true });
});
