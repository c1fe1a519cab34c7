import t from 'tap';
import { RestartPolicy } from '../../src/supervisor/restart-policy.ts';

const OPTIONS = {
  backoffMinMs: 100,
  backoffMaxMs: 1000,
  intensity: 3,
  windowMs: 10_000,
  breakerRetryMs: 30_000,
  stableMs: 500,
};

function policyAt(clock: { nowMs: number }, random = () => 0.999) {
  return new RestartPolicy({ ...OPTIONS, now: () => clock.nowMs, random });
}

t.test('the first death of a child that was stable costs no wait', async (t) => {
  t.same(policyAt({ nowMs: 0 }).afterDeath(500, true), { delayMs: 0, breakerOpen: false });
});

t.test('quick deaths double the delay up to its maximum', async (t) => {
  const policy = policyAt({ nowMs: 0 });
  const delays = Array.from({ length: 6 }, () => policy.afterDeath(0, false).delayMs);
  t.same(delays, [100, 200, 400, 800, 1000, 1000]);
});

t.test('one that was ready and was killed from outside is replaced at once, however often', async (t) => {
  const policy = policyAt({ nowMs: 0 });
  for (let death = 0; death < 20; death += 1) t.equal(policy.afterDeath(1, false).delayMs, 0);
});

t.test('the jitter takes away at most half', async (t) => {
  t.equal(policyAt({ nowMs: 0 }, () => 0).afterDeath(0, false).delayMs, 50);
});

t.test('faults within the window open the breaker, and it is tried again slowly', async (t) => {
  const clock = { nowMs: 0 };
  const policy = policyAt(clock);
  policy.afterDeath(2000, true);
  clock.nowMs = 2000;
  policy.afterDeath(2000, true);
  clock.nowMs = 4000;
  t.same(policy.afterDeath(2000, true), { delayMs: 29_985, breakerOpen: true });
});

t.test('one that stands alone has the back-off only, and its breaker is told all the same', async (t) => {
  const policy = policyAt({ nowMs: 0 });
  for (let fault = 0; fault < 3; fault += 1) policy.afterDeath(2000, true, true);
  t.same(policy.afterDeath(2000, true, true), { delayMs: 0, breakerOpen: true });
  const delays = Array.from({ length: 6 }, () => policy.afterDeath(1, true, true).delayMs);
  t.same(delays, [100, 200, 400, 800, 1000, 1000]);
  t.equal(policy.afterDeath(1, true, false).delayMs, 29_985, 'until another one does its work');
});

t.test('faults that are further apart than the window do not open it', async (t) => {
  const clock = { nowMs: 0 };
  const policy = policyAt(clock);
  for (let fault = 0; fault < 20; fault += 1) {
    t.notOk(policy.afterDeath(2000, true).breakerOpen);
    clock.nowMs += 5001;
  }
});

t.test('being killed from outside never opens the breaker', async (t) => {
  const policy = policyAt({ nowMs: 0 });
  for (let death = 0; death < 100; death += 1) t.notOk(policy.afterDeath(1000, false).breakerOpen);
});

t.test('an open breaker closes when the next try has stayed ready for the window', async (t) => {
  const policy = policyAt({ nowMs: 0 });
  for (let fault = 0; fault < 3; fault += 1) policy.afterDeath(1000, true);
  t.ok(policy.breakerOpen);
  t.ok(policy.afterDeath(9999, true).breakerOpen, 'not yet');
  t.notOk(policy.afterDeath(10_000, true).breakerOpen);
  t.notOk(policy.breakerOpen);
});
