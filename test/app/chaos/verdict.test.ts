import t from 'tap';
import { atLeast, atMost, withSpeed } from '../../../src/testing/chaos/trial.ts';
import { inWords, judge, needsSpeed } from '../../../src/testing/chaos/verdict.ts';

t.test('a figure at its limit holds, one beyond it does not', async (t) => {
  const limits = [atMost(3, 'files', 'a'), atMost(3, 'files', 'b'), atLeast(5, 'writes', 'c')];
  const holds = judge(limits, { a: 3, b: 4, c: 4 }).map((finding) => finding.holds);
  t.same(holds, [true, false, false]);
});

t.test('what was not measured does not hold', async (t) => {
  const findings = judge([atMost(0, 'requests', 'hung'), atMost(9, 'ms', 'wait')], { wait: Number.NaN });
  t.notOk(findings.some(({ holds }) => holds));
  t.equal(inWords(findings[0]!), 'hung: not measured, limit none');
  t.equal(inWords(findings[1]!), 'wait: not measured, limit 9 ms');
});

t.test('a verdict says what was found and what was allowed', async (t) => {
  const [most, least] = judge([atMost(250, 'ms', 'recovery p99'), atLeast(1, 'writes', 'acknowledged')], {
    'recovery p99': 312.04,
    acknowledged: 0,
  });
  t.equal(inWords(most!), 'recovery p99: 312 ms, limit 250 ms');
  t.equal(inWords(least!), 'acknowledged: 0 writes, limit at least 1');
});

t.test('limits in milliseconds, and those that say so, need a machine that is not busy', async (t) => {
  t.ok(needsSpeed(atMost(250, 'ms', 'recovery p99')));
  t.ok(needsSpeed(withSpeed(atLeast(100, 'requests', 'served'))));
  t.notOk(needsSpeed(atMost(0, 'requests', 'hung')));
});
