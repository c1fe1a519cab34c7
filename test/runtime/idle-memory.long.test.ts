import t from 'tap';
import { told } from './idle-memory-fixture.ts';

t.test('a process that goes on working keeps its memory', async (t) => {
  t.same(await told('works'), { isCollected: false, isSmaller: false });
});
