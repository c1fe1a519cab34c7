import t from 'tap';
import { Lifecycle, SYSTEM_TRANSITIONS } from '../../src/supervisor/lifecycle.ts';

const INTERNAL = { code: 'internal' };

t.test('a system that stops goes on to nothing but its end', async (t) => {
  t.same(SYSTEM_TRANSITIONS.stopping, ['stopped']);
  t.same(SYSTEM_TRANSITIONS.stopped, []);
  const lifecycle = new Lifecycle();
  lifecycle.move('serving');
  lifecycle.move('stopping');
  for (const state of ['starting', 'serving', 'healing', 'stopping'] as const) {
    t.throws(() => lifecycle.move(state), INTERNAL, state);
    t.equal(lifecycle.state, 'stopping');
  }
  lifecycle.move('stopped');
  t.throws(() => lifecycle.move('serving'), INTERNAL);
});

t.test('only what serves is healed', async (t) => {
  const lifecycle = new Lifecycle();
  t.throws(() => lifecycle.move('healing'), INTERNAL);
  lifecycle.move('serving');
  lifecycle.move('healing');
  lifecycle.move('serving');
  t.ok(lifecycle.isServing);
});

t.test('how long a state lasts is told right, also when the clock is set meanwhile', async (t) => {
  const lifecycle = new Lifecycle();
  lifecycle.move('serving');
  const { now } = Date;
  t.teardown(() => {
    Date.now = now;
  });
  for (const stepMs of [-3_600_000, 3_600_000]) {
    Date.now = () => now() + stepMs;
    const lastsMs = Date.now() - lifecycle.sinceAtMs;
    t.ok(lastsMs >= 0 && lastsMs < 60_000, `${lastsMs} ms`);
  }
});
