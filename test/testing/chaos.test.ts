import t from 'tap';
import { holdTrial } from '../../src/testing/chaos/chaos.ts';
import { app } from './chaos-fixture.ts';

t.test('a trial that is not there is told with those that are', async (t) => {
  await t.rejects(holdTrial('meteorite', app), /^There is no trial meteorite: use one of worker-killed, /);
});
