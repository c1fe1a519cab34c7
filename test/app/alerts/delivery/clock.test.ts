import t from 'tap';
import { DeliveryClock } from '../../../../src/app/alerts/delivery/clock.ts';

function clockOf(TIMEZONE: string, DELIVERY_HOUR = '09:00'): DeliveryClock {
  return new DeliveryClock({ TIMEZONE, DELIVERY_HOUR });
}

const dueAt = (timeZone: string, hour: string, date: string) =>
  new Date(clockOf(timeZone, hour).dueAtMs(date)).toISOString();

t.test('an alert is due at the hour of its date, there', async (t) => {
  t.equal(dueAt('UTC', '09:00', '2030-01-31'), '2030-01-31T09:00:00.000Z');
  t.equal(dueAt('Europe/Berlin', '09:00', '2026-01-31'), '2026-01-31T08:00:00.000Z', 'in winter');
  t.equal(dueAt('Europe/Berlin', '09:00', '2026-07-31'), '2026-07-31T07:00:00.000Z', 'in summer');
  t.equal(dueAt('Asia/Kathmandu', '00:00', '2026-01-01'), '2025-12-31T18:15:00.000Z');
  t.equal(dueAt('Pacific/Kiritimati', '09:00', '2026-01-01'), '2025-12-31T19:00:00.000Z');
  t.equal(dueAt('America/New_York', '23:59', '2026-12-31'), '2027-01-01T04:59:00.000Z');
});

t.test('an hour that the clocks skip is later, of one that they repeat it is the first', async (t) => {
  t.equal(dueAt('Europe/Berlin', '02:30', '2026-03-29'), '2026-03-29T01:30:00.000Z', 'shown as 03:30');
  t.equal(dueAt('Europe/Berlin', '03:00', '2026-03-29'), '2026-03-29T01:00:00.000Z');
  t.equal(dueAt('Europe/Berlin', '02:30', '2026-10-25'), '2026-10-25T00:30:00.000Z', 'still in summer time');
  t.equal(dueAt('America/New_York', '02:30', '2026-03-08'), '2026-03-08T07:30:00.000Z');
  t.equal(dueAt('Australia/Lord_Howe', '02:15', '2026-10-04'), '2026-10-03T15:45:00.000Z', 'half an hour');
  t.equal(
    dueAt('America/Santiago', '00:00', '2026-09-06'),
    '2026-09-06T04:00:00.000Z',
    'midnight is skipped',
  );
  t.equal(dueAt('Pacific/Apia', '09:00', '2011-12-30'), '2011-12-30T19:00:00.000Z', 'the day was skipped');
});

t.test('what is due changes at the hour, not at midnight', async (t) => {
  const clock = clockOf('Europe/Berlin');
  const cases = [
    ['2026-11-24T07:59:59.999Z', '2026-11-24', '2026-11-23'],
    ['2026-11-24T08:00:00.000Z', '2026-11-24', '2026-11-24'],
    ['2026-11-24T22:59:59.999Z', '2026-11-24', '2026-11-24'],
    ['2026-11-24T23:00:00.000Z', '2026-11-25', '2026-11-24'],
    ['2026-03-01T00:00:00.000Z', '2026-03-01', '2026-02-28'],
  ] as const;
  for (const [at, today, dueThrough] of cases) {
    t.equal(clock.today(Date.parse(at)), today, at);
    t.equal(clock.dueThrough(Date.parse(at)), dueThrough, at);
  }
});
