import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { scenarios } from '../../../loadtest/scenarios.ts';
import {
  judge,
  needsBaseline,
  parseThreshold,
  readThresholds,
  THRESHOLDS_FILE,
} from '../../../loadtest/thresholds.ts';
import { UsageError } from '../../../src/testing/chaos/values.ts';
import { like } from '../../support/like.ts';
import { measurementOf } from './measurement.ts';

function judgeRead(
  text: string,
  parts = {},
  baselinePerSecond: number | undefined = 2000,
  hasFaults = false,
) {
  const thresholds = new Map([
    ['read', [parseThreshold(text)]],
    ['any, with a fault', [parseThreshold('failed <= 1 %')]],
  ]);
  return judge([measurementOf(parts)], thresholds, baselinePerSecond, hasFaults);
}

t.test('each kind of threshold holds up to its limit and is told in words beyond it', async (t) => {
  t.same(judgeRead('p99 < 10.1 ms').crossings, []);
  like(t, judgeRead('p99 < 10 ms').crossings, [/^read: p99 was 10\.0 ms; it must be below 10 ms$/]);
  t.same(judgeRead('p99 <= 10 ms').crossings, []);
  t.same(judgeRead('throughput >= 0.5 of bare-http').crossings, []);
  like(t, judgeRead('throughput >= 0.51 of bare-http').crossings, [/throughput was 0\.50 of bare-http/]);
  const failures = { errors: 1, lost: 2, timeouts: 3, non2xx: 4 };
  like(t, judgeRead('failed <= 0.9 %', { failures }).crossings, [/1 errors, 2 lost, 3 timeouts, 4 not 2xx/]);
  t.same(judgeRead('failed <= 1 %', { failures }).crossings, []);
});

t.test('what was not measured is neither held nor crossed', async (t) => {
  const { crossings, skipped, judged } = judge(
    [measurementOf()],
    new Map([['read', [parseThreshold('throughput >= 0.5 of write')]]]),
    undefined,
    false,
  );
  like(t, { crossings, judged }, { crossings: [], judged: 0 });
  like(t, skipped, [/was not compared with write/]);
  const load = { connections: 50, warmupMs: 0, durationMs: 1000, ratePerSecond: 10 };
  like(t, judgeRead('throughput >= 0.9 of bare-http', { load }), { crossings: [], skipped: [/fixed/] });
});

t.test('a fault excuses failures up to a limit of its own, and nothing else', async (t) => {
  const few = { errors: 5, lost: 0, timeouts: 0, non2xx: 0 };
  const many = { errors: 50, lost: 0, timeouts: 0, non2xx: 0 };
  like(t, judgeRead('failed <= 0 %', { failures: few }).crossings, [/0\.498 %/]);
  t.same(judgeRead('failed <= 0 %', { failures: few }, 2000, true).crossings, []);
  like(t, judgeRead('failed <= 0 %', { failures: many }, 2000, true).crossings, [/at most 1 %/]);
  like(t, judgeRead('p99 < 1 ms', {}, 2000, true).crossings, [/p99/]);
});

t.test('a scenario without thresholds may not fail unseen', async (t) => {
  const failures = { errors: 1, lost: 0, timeouts: 0, non2xx: 0 };
  like(t, judge([measurementOf({ failures })], new Map(), undefined, false).crossings, [/^read: /]);
});

t.test('the file that comes along covers every scenario, and one that is wrong says where', async (t) => {
  const thresholds = readThresholds(THRESHOLDS_FILE);
  for (const { name } of scenarios) t.ok(thresholds.get(name)?.length, name);
  t.equal(needsBaseline(thresholds, ['read']), true);
  t.equal(needsBaseline(thresholds, ['upload']), false);

  const file = join(t.testdir(), 'thresholds.json');
  writeFileSync(file, JSON.stringify({ read: ['p98 < 3 ms'] }));
  t.throws(
    () => readThresholds(file),
    new UsageError(
      `--thresholds: ${file}: p98 < 3 ms: expected such as "p99 < 50 ms" (p50, p90, p99, p999, max), "failed <= 0 %" or "throughput >= 0.5 of read"`,
    ),
  );
  t.throws(() => readThresholds(`${file}.not`), /no such file/);
});
