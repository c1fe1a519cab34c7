import t from 'tap';
import { type DrillRecord, pastDue } from '../../src/replication/drill/record.ts';

const NOW_MS = Date.UTC(2030, 0);
const HOUR_MS = 3_600_000;

function after(kind: 'time' | 'oldest', agoMs: number, reason?: string): DrillRecord {
  return {
    last: undefined,
    lastOkAtMs: undefined,
    past: { kind, atMs: NOW_MS - agoMs, reason, restored: {} },
  };
}

t.test('once a day something of the past is due, both kinds in turn', async (t) => {
  t.equal(pastDue({ last: undefined, lastOkAtMs: undefined }, NOW_MS), 'time');
  t.equal(pastDue(after('time', 23 * HOUR_MS), NOW_MS), undefined);
  t.equal(pastDue(after('time', 24 * HOUR_MS), NOW_MS), 'oldest');
  t.equal(pastDue(after('oldest', 25 * HOUR_MS), NOW_MS), 'time');
  t.equal(pastDue(after('oldest', HOUR_MS, 'damaged'), NOW_MS), 'oldest', 'what has failed is due again');
  t.equal(pastDue(after('time', -HOUR_MS), NOW_MS), 'oldest', 'a time in the future is of a wrong clock');
});
