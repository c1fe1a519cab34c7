import t from 'tap';
import { limitInWords } from '../../../loadtest/busy.ts';
import { isSaturated, kneeOf } from '../../../loadtest/commands/ramp.ts';
import { growthOf } from '../../../loadtest/commands/soak.ts';
import { slopePerHour } from '../../../loadtest/statistics.ts';
import { measurementOf } from './measurement.ts';

const MB = 1024 * 1024;
const MINUTE_MS = 60_000;

function stepsOf(...rates: number[]) {
  return rates.map((requestsPerSecond) => measurementOf({ requestsPerSecond }));
}

t.test('a ramp ends when two steps in a row bring little', async (t) => {
  t.equal(isSaturated(stepsOf(100, 200, 400)), false);
  t.equal(isSaturated(stepsOf(100, 200, 204)), false, 'one may have had bad luck');
  t.equal(isSaturated(stepsOf(100, 200, 204, 400)), false);
  t.equal(isSaturated(stepsOf(100, 200, 204, 190)), true);
  t.equal(kneeOf(stepsOf(100, 200, 204, 190)).requestsPerSecond, 200);
});

t.test('at a fixed rate a ramp ends where the rate is not kept', async (t) => {
  const load = { connections: 50, warmupMs: 0, durationMs: 1000, ratePerSecond: 1000 };
  const kept = measurementOf({ load, requestsPerSecond: 999 });
  const missed = measurementOf({ load, requestsPerSecond: 900 });
  t.equal(isSaturated([kept, kept, missed]), false);
  t.equal(isSaturated([kept, missed, missed]), true);
});

t.test('a soak tells by how much each process and all together grow, without the young heap', async (t) => {
  const samples = Array.from({ length: 12 }, (_, minute) => [
    // It settles within the first third, and then grows by 1 MB a minute.
    {
      atMs: minute * MINUTE_MS,
      name: 'writer',
      rssBytes: (minute < 4 ? 500 : 100 + minute) * MB,
      cpuPercent: 1,
    },
    { atMs: minute * MINUTE_MS, name: 'primary', rssBytes: 50 * MB, cpuPercent: 1 },
    { atMs: minute * MINUTE_MS, name: 'load generator', rssBytes: minute * 100 * MB, cpuPercent: 1 },
  ]).flat();
  const growths = growthOf(samples).map(({ mbPerHour, ...growth }) => ({
    ...growth,
    mbPerHour: Math.round(mbPerHour),
  }));
  t.same(growths, [
    { name: 'primary', firstMb: 50, lastMb: 50, mbPerHour: 0 },
    { name: 'writer', firstMb: 104, lastMb: 111, mbPerHour: 60 },
    { name: 'in sum', firstMb: 154, lastMb: 161, mbPerHour: 60 },
  ]);
  t.same(growthOf([]), []);
  t.equal(slopePerHour([[0, 5]]), 0);
});

t.test('what was busy is told: a machine, a process, or nothing', async (t) => {
  const quiet = [{ atMs: 0, name: 'writer', rssBytes: 0, cpuPercent: 40 }];
  t.match(limitInWords(measurementOf({ processes: quiet })), /waited, for the disk/);
  t.match(limitInWords(measurementOf({ cpu: { clientMs: 1, serverMs: 1, otherMs: 0 } })), /^worker-1 filled/);
  const cpu = { clientMs: 1e6, serverMs: 3e6, otherMs: 0 };
  t.match(limitInWords(measurementOf({ cpu })), /server with 75 %.*generator with 25 %/);
});
