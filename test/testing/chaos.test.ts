import t from 'tap';
import { holdTrial } from '../../src/testing/chaos/chaos.ts';
import { app } from './chaos-fixture.ts';

t.test('a trial of any app holds, and says what it saw', async (t) => {
  const { verdict, injected, figures } = await holdTrial('machine-lost', app, { seed: 1 });
  t.equal(verdict, 'holds');
  t.equal(injected, 1);
  t.equal(figures['acknowledged, then lost'], 0);
  t.ok(figures.acknowledged! > 0, `${figures.acknowledged} were acknowledged`);
});

t.test('a trial that is not there is told with those that are', async (t) => {
  await t.rejects(holdTrial('meteorite', app), /^There is no trial meteorite: use one of worker-killed, /);
});
