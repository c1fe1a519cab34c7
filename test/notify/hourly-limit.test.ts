import fc from 'fast-check';
import t from 'tap';
import { HourlyLimit } from '../../src/notify/hourly-limit.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** @returns the most within any hour */
function mostInAnHour(sentAtMs: readonly number[]): number {
  return Math.max(
    0,
    ...sentAtMs.map((from) => sentAtMs.filter((atMs) => atMs >= from && atMs < from + HOUR_MS).length),
  );
}

t.test('ten go at once, and the next when the first is an hour old', async (t) => {
  const limit = new HourlyLimit({ sentAtMs: [], recordedAtMs: undefined, nowMs: 0 });
  let sent = 0;
  for (; limit.allows(sent); sent += 1) {
    limit.take(sent);
    limit.recorded(sent);
  }
  t.equal(sent, 10);
  const next = new HourlyLimit({ sentAtMs: limit.sentAtMs, recordedAtMs: sent, nowMs: MINUTE_MS });
  for (const each of [limit, next]) {
    t.notOk(each.allows(HOUR_MS - 1));
    t.ok(each.allows(HOUR_MS));
  }
});

t.test('what has reached nobody does not count', async (t) => {
  const limit = new HourlyLimit({ sentAtMs: [1, 2, 3, 4, 5, 6, 7, 8, 9], recordedAtMs: 9, nowMs: 10 });
  limit.take(10);
  limit.recorded(10);
  t.notOk(limit.allows(11));
  limit.giveBack(10);
  t.ok(limit.allows(11));
});

t.test(
  'with a file that cannot be written, no number of restarts brings more than ten an hour',
  async (t) => {
    const before = fc.array(fc.integer({ min: 0, max: HOUR_MS }), { maxLength: 10 });
    const lives = fc.array(fc.integer({ min: 1000, max: 90 * MINUTE_MS }), { minLength: 1, maxLength: 20 });
    let most = 0;
    fc.assert(
      fc.property(before, lives, (recorded, livesMs) => {
        const file = { sentAtMs: [...recorded].sort((a, b) => a - b), recordedAtMs: HOUR_MS };
        const sent = [...file.sentAtMs];
        let nowMs = HOUR_MS;
        for (const lifeMs of livesMs) {
          const limit = new HourlyLimit({ ...file, nowMs });
          limit.unrecorded();
          const endMs = nowMs + lifeMs;
          for (; nowMs < endMs; nowMs += 20_000) {
            if (!limit.allows(nowMs)) continue;
            limit.take(nowMs);
            sent.push(nowMs);
          }
        }
        most = Math.max(most, mostInAnHour(sent));
        return mostInAnHour(sent) <= 10;
      }),
      { numRuns: 300 },
    );
    t.equal(most, 10, 'and ten there are');
  },
);

t.test('when the file can be written again, it has what was sent meanwhile', async (t) => {
  const limit = new HourlyLimit({ sentAtMs: [], recordedAtMs: 0, nowMs: 0 });
  limit.unrecorded();
  t.notOk(limit.allows(MINUTE_MS));
  t.ok(limit.allows(6 * MINUTE_MS));
  limit.take(6 * MINUTE_MS);
  t.notOk(limit.allows(7 * MINUTE_MS));
  limit.recorded(8 * MINUTE_MS);
  t.strictSame(limit.sentAtMs, [6 * MINUTE_MS]);
  t.ok(limit.allows(8 * MINUTE_MS));
});
