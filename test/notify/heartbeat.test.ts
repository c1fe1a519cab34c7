import t from 'tap';
import type { SystemStatus } from '../../src/messages/messages.ts';
import { Heartbeat, isWell } from '../../src/notify/heartbeat.ts';
import type { Sent } from '../../src/notify/http.ts';

const LAG_MAX_MS = 60_000;
const WELL: SystemStatus = {
  ready: true,
  notReady: [],
  degraded: [],
  replication: { state: 'streaming', reason: undefined, lagMs: 0, unconfirmedBytes: 0, databases: {} },
  drill: { isRunning: false, intervalMs: 1, reason: undefined, last: undefined, lastOkAtMs: undefined },
};

t.test(
  'the heart beats while ready, near the replica, and with no drill that failed or is long due',
  async (t) => {
    const lagging = (lagMs: number) => ({ ...WELL, replication: { ...WELL.replication!, lagMs } });
    t.equal(isWell(WELL, LAG_MAX_MS), true, 'also before the first drill');
    t.equal(
      isWell({ ...WELL, drill: { ...WELL.drill!, intervalMs: 0 } }, LAG_MAX_MS),
      true,
      'and with drills off',
    );
    t.equal(isWell(lagging(LAG_MAX_MS), LAG_MAX_MS), true);
    t.equal(isWell(lagging(LAG_MAX_MS + 1), LAG_MAX_MS), false);
    t.equal(isWell({ ...WELL, ready: false }, LAG_MAX_MS), false);
    t.equal(isWell({ ...WELL, replication: undefined }, LAG_MAX_MS), false, 'nobody has looked yet');
    t.equal(isWell({ ...WELL, drill: { ...WELL.drill!, reason: 'it failed' } }, LAG_MAX_MS), false);
  },
);

t.test(
  'it beats once an interval, sooner after one that failed, and at once when all is well again',
  async (t) => {
    let nowMs = 0;
    let sent: Sent = { ok: true };
    const beatsMs: number[] = [];
    const heartbeat = new Heartbeat({
      intervalMs: 60_000,
      lagMaxMs: LAG_MAX_MS,
      now: () => nowMs,
      async ping() {
        beatsMs.push(nowMs);
        return sent;
      },
    });
    const run = async (untilMs: number, status: SystemStatus) => {
      for (; nowMs < untilMs; nowMs += 1000) await heartbeat.look(status);
    };
    await run(90_000, WELL);
    await run(200_000, { ...WELL, ready: false });
    await run(205_000, WELL);
    t.strictSame(beatsMs.splice(0), [0, 60_000, 200_000]);
    sent = { ok: false, reason: 'it answered 500', isUnreached: false };
    await run(275_000, WELL);
    t.strictSame(beatsMs, [260_000, 270_000]);
    t.equal(heartbeat.trouble, 'HEARTBEAT_URL: it answered 500');
  },
);
