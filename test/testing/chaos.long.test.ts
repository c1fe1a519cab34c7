import t from 'tap';
import type { TriedApp } from '../../src/testing/chaos/app-stage.ts';
import { holdTrial } from '../../src/testing/chaos/chaos.ts';
import { app } from './chaos-fixture.ts';

t.test('what was acknowledged and is not there fails the trial, and so does a rule of the app', async (t) => {
  const forgetful: TriedApp = {
    ...app,
    isSame: (found, written) => app.isSame!(found, written) && written.sequence !== 7,
    check: (_db, name) => (name === 'main' ? ['a link leads nowhere'] : []),
  };
  const error = await holdTrial('background-killed', forgetful, { seed: 2, size: 1 }).then(
    () => 'it held',
    ({ message }: Error) => message,
  );
  const reasons = error.replace(/^background-killed \(seed 2\): /, '').split('; ');
  t.ok(reasons.includes('acknowledged, then lost: 1 writes, limit none'), error);
  t.ok(reasons.includes("against the app's rules: 1 rows, limit none"), error);
});

t.test('a trial of any app holds, and says what it saw', async (t) => {
  const { verdict, injected, figures } = await holdTrial('machine-lost', app, { seed: 1 });
  t.equal(verdict, 'holds');
  t.equal(injected, 1);
  t.equal(figures['acknowledged, then lost'], 0);
  t.ok(figures.acknowledged! > 0, `${figures.acknowledged} were acknowledged`);
});
