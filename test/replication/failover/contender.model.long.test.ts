import t from 'tap';
import { check, neverLosesAWrite } from './model-fixture.ts';

t.test('in thousands of schedules no acknowledged write is lost, and never two may commit', async (t) => {
  neverLosesAWrite(t, 2000);
  t.equal(check({ isFrozen: true, isLocalAllowed: true }, 2000).failed, false);
});
