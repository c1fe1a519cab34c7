import pino from 'pino';
import t from 'tap';
import { ReplicationMonitor } from '../../src/replication/monitor.ts';
import { like } from '../support/like.ts';

const LOG = pino({ level: 'silent' });
const CONFIRMATION = { database: 'main', generation: 'g', salt: 's', offsetBytes: 1 };

function monitorAt(clock: { nowMs: number }) {
  const stalls: string[] = [];
  const wedged: string[] = [];
  const monitor = new ReplicationMonitor({
    lagNormalMs: 2000,
    stallTimeoutMs: 6000,
    now: () => clock.nowMs,
    log: LOG,
    onStall: (cause) => stalls.push(cause),
    onWedged: (reason) => wedged.push(reason),
    onChange: () => {},
  });
  const look = (lagMs: number, mediaLagMs = 0) => {
    const report = { lagMs, unconfirmedBytes: 1, unconfirmedCommits: 1 };
    const unknown = { lastCommit: { ordinal: 1, atMs: 1 }, confirmed: undefined };
    monitor.look({ main: { ...report, ...unknown }, media: { ...report, ...unknown, lagMs: mediaLagMs } });
  };
  return { monitor, stalls, wedged, look };
}

t.test('young unconfirmed commits are streaming', async (t) => {
  const { monitor, look } = monitorAt({ nowMs: 0 });
  look(2000);
  t.equal(monitor.state, 'streaming');
  t.equal(monitor.trouble, undefined);
});

t.test('an old commit while confirmations come is catching up', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls } = monitorAt(clock);
  const states = new Set<string>();
  for (clock.nowMs = 0; clock.nowMs < 60_000; clock.nowMs += 1000) {
    monitor.confirmed(CONFIRMATION);
    look(30_000);
    states.add(monitor.state);
  }
  t.strictSame([...states], ['catching-up']);
  t.same(stalls, []);
});

t.test('silence is a stall, each next one gets more patience, and a confirmation ends it', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls } = monitorAt(clock);
  const stalledAtMs: number[] = [];
  const states = new Set<string>();
  for (clock.nowMs = 500; clock.nowMs < 60_000; clock.nowMs += 500) {
    const before = stalls.length;
    look(clock.nowMs);
    if (stalls.length > before) stalledAtMs.push(clock.nowMs);
    if (clock.nowMs > 6000) states.add(monitor.state);
  }
  t.strictSame([...states], ['stalled']);
  t.same(stalledAtMs, [6500, 19_000, 43_500]);
  t.match(monitor.trouble, /stalled: the oldest commit that is not in the replica is 60 s old/);
  monitor.confirmed(CONFIRMATION);
  look(100);
  t.equal(monitor.state, 'streaming');
});

t.test(
  'what Litestream says about the store explains the silence, and no restart is asked for',
  async (t) => {
    const clock = { nowMs: 0 };
    const { monitor, look, stalls } = monitorAt(clock);
    for (clock.nowMs = 1000; clock.nowMs < 30_000; clock.nowMs += 1000) {
      monitor.failed('connection refused');
      look(clock.nowMs);
    }
    t.equal(monitor.state, 'unreachable');
    t.match(monitor.trouble, /unreachable: connection refused/);
    t.same(stalls, []);
    monitor.confirmed(CONFIRMATION);
    t.match(
      monitor.trouble,
      /^unreachable: the oldest commit/,
      'and nothing in its place, before the next look',
    );
  },
);

t.test(
  'a store that does not answer is unreachable, and no restart is asked for until it is back',
  async (t) => {
    const clock = { nowMs: 0 };
    const { monitor, look, stalls } = monitorAt(clock);
    monitor.probed('the store says nothing');
    t.match(monitor.trouble, /unreachable: the store says nothing; it lacks nothing yet/, 'also when idle');
    for (clock.nowMs = 1000; clock.nowMs < 600_000; clock.nowMs += 1000) look(clock.nowMs);
    t.equal(monitor.state, 'unreachable');
    t.same(stalls, []);
    monitor.probed(undefined);
    like(t, stalls, [/answers again/], 'an uploader that says nothing hangs in a request of before');
    t.equal(monitor.state, 'catching-up');
  },
);

t.test('an uploader that keeps trying is not restarted when the store is back', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls } = monitorAt(clock);
  monitor.probed('refused');
  for (clock.nowMs = 1000; clock.nowMs < 30_000; clock.nowMs += 1000) {
    monitor.failed('connection refused');
    look(clock.nowMs);
  }
  monitor.probed(undefined);
  clock.nowMs += 500;
  look(clock.nowMs);
  t.same(stalls, []);
  monitor.confirmed(CONFIRMATION);
  clock.nowMs += 500;
  look(clock.nowMs);
  t.same(stalls, [], 'it delivers');
});

t.test(
  'one that tries and delivers nothing is in a back-off, and restarted, but not all the time',
  async (t) => {
    const clock = { nowMs: 0 };
    const { monitor, look, stalls } = monitorAt(clock);
    const restartedAtMs: number[] = [];
    for (clock.nowMs = 1000; clock.nowMs < 34_000; clock.nowMs += 1000) {
      const before = stalls.length;
      monitor.probed('the store answers with 503');
      monitor.failed('SlowDown');
      look(clock.nowMs);
      monitor.probed(undefined);
      clock.nowMs += 1000;
      look(clock.nowMs);
      if (stalls.length > before) restartedAtMs.push(clock.nowMs);
    }
    t.same(restartedAtMs, [4000, 6000, 8000, 34_000], 'one outage soon after another too');
  },
);

t.test('an outage that was over before it was noticed does not count for the next one', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls } = monitorAt(clock);
  monitor.probed('refused');
  look(0);
  monitor.probed(undefined);
  for (clock.nowMs = 1000; clock.nowMs < 5000; clock.nowMs += 500) look(clock.nowMs);
  t.same(stalls, []);
});

t.test('a lag that goes up and down around the limit is one state', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look } = monitorAt(clock);
  look(2100);
  t.equal(monitor.state, 'catching-up');
  look(1500);
  t.equal(monitor.state, 'catching-up');
  look(900);
  t.equal(monitor.state, 'streaming');
});

t.test('what arrives of one database says nothing of another', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls } = monitorAt(clock);
  for (clock.nowMs = 500; clock.nowMs < 6500; clock.nowMs += 500) {
    monitor.confirmed(CONFIRMATION);
    look(100, clock.nowMs);
  }
  look(100, clock.nowMs);
  t.equal(monitor.state, 'stalled');
  like(t, stalls, [/nothing uploaded for 7 s/]);
});

t.test('after an outage each database has to arrive', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls } = monitorAt(clock);
  monitor.probed('refused');
  clock.nowMs = 10_000;
  monitor.failed('connection refused');
  look(10_000, 10_000);
  monitor.probed(undefined);
  monitor.confirmed(CONFIRMATION);
  clock.nowMs += 500;
  look(100, 10_500);
  t.same(stalls, [], 'it is given a moment');
  clock.nowMs += 500;
  look(100, 11_000);
  like(t, stalls, [/answers again/]);
});

t.test('a snapshot takes its time, by its size, and is no stall', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls } = monitorAt(clock);
  // 600 MB, at two megabits a second.
  monitor.snapshotBegan('main', 600_000_000);
  const states = new Set<string>();
  for (clock.nowMs = 1000; clock.nowMs < 2_400_000; clock.nowMs += 10_000) {
    look(clock.nowMs);
    if (clock.nowMs > 2000) states.add(monitor.state);
  }
  t.strictSame([...states], ['catching-up']);
  t.same(stalls, []);
  clock.nowMs = 2_410_000;
  look(clock.nowMs);
  like(t, stalls, [/nothing uploaded/], 'but it is not waited for for ever');
  monitor.restarted();
  monitor.snapshotBegan('main', 600_000_000);
  clock.nowMs += 1_000_000;
  monitor.snapshotEnded('main');
  clock.nowMs += 5000;
  look(clock.nowMs);
  t.equal(stalls.length, 1, 'what comes after it has its own time');
  clock.nowMs += 10_000;
  look(clock.nowMs);
  t.equal(stalls.length, 2);
});

t.test('a snapshot beside which segments arrive excuses no silence', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls } = monitorAt(clock);
  monitor.snapshotBegan('main', 600_000_000);
  clock.nowMs = 1000;
  monitor.confirmed(CONFIRMATION);
  clock.nowMs += 6500;
  look(6500);
  t.equal(stalls.length, 1);
});

t.test('a failure that repeats while the store is there gets a restart, then a new generation', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls, wedged } = monitorAt(clock);
  const told: [number, string][] = [];
  for (clock.nowMs = 0; clock.nowMs <= 90_000; clock.nowMs += 500) {
    monitor.failed('a file is missing', 'main');
    if (clock.nowMs === 29_500) monitor.confirmed({ ...CONFIRMATION, database: 'media' });
    // The last error explains it, so it is no stall.
    monitor.failed('a file is missing', 'main');
    look(clock.nowMs);
    for (const cause of [...stalls.splice(0), ...wedged.splice(0)]) told.push([clock.nowMs, cause]);
  }
  t.strictSame(told, [
    [30_000, 'it fails again and again: a file is missing'],
    [60_000, 'a file is missing'],
  ]);
});

t.test('a failure that ends, or that is the store itself, gets none', async (t) => {
  const clock = { nowMs: 0 };
  const { monitor, look, stalls, wedged } = monitorAt(clock);
  for (clock.nowMs = 0; clock.nowMs <= 120_000; clock.nowMs += 500) {
    if (clock.nowMs < 60_000 && clock.nowMs % 20_000 === 0) monitor.confirmed(CONFIRMATION);
    if (clock.nowMs >= 60_000) monitor.probed('it says nothing');
    monitor.failed('timeout', 'main');
    look(1000);
  }
  t.strictSame([stalls, wedged], [[], []]);
});
