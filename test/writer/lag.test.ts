import t from 'tap';
import { Lag } from '../../src/writer/lag.ts';
import { like } from '../support/like.ts';

const at = (offsetBytes: number, salt = 'a') => ({ salt, offsetBytes });
const mark = (atMs: number, ordinal = 0) => ({ ordinal, atMs });

t.test('the lag is the age of the oldest commit that is not confirmed', async (t) => {
  const lag = new Lag();
  like(t, lag.report(1000), { lagMs: 0, unconfirmedBytes: 0, unconfirmedCommits: 0 });
  lag.committed(at(100), mark(5000, 7), 1000);
  lag.committed(at(250), mark(5001, 8), 1500);
  like(t, lag.report(2000), { lagMs: 1000, unconfirmedBytes: 250, unconfirmedCommits: 2 });
  t.notOk(lag.confirmed({ ...at(99), generation: 'g' }), 'a part of a commit confirms nothing');
  t.ok(lag.confirmed({ ...at(249), generation: 'g' }));
  like(t, lag.report(2000), {
    lagMs: 500,
    unconfirmedBytes: 150,
    lastCommit: { ordinal: 8, atMs: 5001 },
    confirmed: { ordinal: 7, atMs: 5000, generation: 'g', salt: 'a', offsetBytes: 100 },
  });
  t.ok(lag.confirmed({ ...at(250), generation: 'g' }));
  like(t, lag.report(9000), {
    lagMs: 0,
    unconfirmedBytes: 0,
    unconfirmedCommits: 0,
    confirmed: { atMs: 5001 },
  });
});

t.test('a confirmation in a later WAL confirms everything of the earlier ones', async (t) => {
  const lag = new Lag();
  lag.committed(at(100, 'a'), mark(1), 1);
  lag.committed(at(900, 'a'), mark(2), 2);
  lag.committed(at(50, 'b'), mark(3), 3);
  lag.committed(at(80, 'b'), mark(4), 4);
  t.equal(lag.report(4).unconfirmedBytes, 980);
  lag.confirmed({ ...at(60, 'b'), generation: 'g' });
  like(t, lag.report(4), { unconfirmedCommits: 1, unconfirmedBytes: 30, confirmed: { atMs: 3 } });
});

t.test('a confirmation of a WAL that nothing waits for says nothing', async (t) => {
  const lag = new Lag();
  lag.committed(at(100, 'b'), mark(1), 1);
  t.notOk(lag.confirmed({ ...at(5000, 'a'), generation: 'g' }));
  t.equal(lag.report(1).unconfirmedCommits, 1);
});

t.test('in a long outage it keeps the oldest and the newest, in bounded memory', async (t) => {
  const lag = new Lag();
  for (let commit = 1; commit <= 100_000; commit += 1) lag.committed(at(commit * 10), mark(commit), commit);
  const report = lag.report(100_000);
  t.equal(report.lagMs, 99_999);
  t.equal(report.unconfirmedBytes, 1_000_000);
  t.ok(report.unconfirmedCommits <= 4096, `${report.unconfirmedCommits} kept`);
  lag.confirmed({ ...at(1_000_000), generation: 'g' });
  like(t, lag.report(100_000), { lagMs: 0, unconfirmedBytes: 0, confirmed: { atMs: 100_000 } });
});

t.test('how long nothing was committed is told once all is confirmed', async (t) => {
  const lag = new Lag();
  lag.committed(at(100), mark(5000), 1000);
  t.equal(lag.report(2000, 6000).completeUntilMs, undefined);
  lag.confirmed({ ...at(100), generation: 'g' });
  t.equal(lag.report(3000, 7000).completeUntilMs, 6999, 'the next may be of this millisecond');
  lag.committed(at(200), mark(9000), 5000);
  t.equal(lag.report(6000, 10_000).completeUntilMs, 6999, 'also while another waits');
  lag.committed(at(300), mark(4000), 6000);
  t.equal(lag.report(7000, 5000).completeUntilMs, 3999, 'not beyond a commit, when the clock is set back');
});

t.test('a new writer takes over how far the replica was behind, until it has caught up', async (t) => {
  const lag = new Lag();
  lag.committed(at(100), mark(5000), 60_000);
  lag.behind(10_000, 5_000_000);
  lag.committed(at(300), mark(5001), 61_000);
  like(t, lag.report(61_000), { lagMs: 51_000, unconfirmedBytes: 5_000_200 });
  lag.confirmed({ ...at(100), generation: 'g' });
  like(t, lag.report(61_000), { lagMs: 0, unconfirmedBytes: 200 });
  lag.behind(10_000, 5_000_000);
  like(t, lag.report(61_000), { lagMs: 0, unconfirmedBytes: 200 }, 'which is over then');
});
