import t from 'tap';
import { isoTimeMs } from '../../src/platform/iso-time.ts';

t.test('a date or a time with its zone is what the calendar says', async (t) => {
  const right: [string, number][] = [
    ['2030-01-31', Date.UTC(2030, 0, 31)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
    ['2030-01-31T12:00Z', Date.UTC(2030, 0, 31, 12)],
    ['2030-01-31T12:00:01.250Z', Date.UTC(2030, 0, 31, 12, 0, 1, 250)],
    ['2030-02-01T00:30+02:00', Date.UTC(2030, 0, 31, 22, 30)],
    ['2030-01-31T23:59:59-00:30', Date.UTC(2030, 1, 1, 0, 29, 59)],
  ];
  for (const [text, atMs] of right) t.equal(isoTimeMs(text), atMs, text);
});

t.test('what no calendar and no clock shows is no time, never another one', async (t) => {
  const dates = [
    '2026-02-30',
    '2027-02-29',
    '2026-04-31',
    '2026-13-01',
    '2026-00-10',
    '2026-01-00',
    '2026-01-32',
  ];
  const times = ['24:00:00', '25:00', '12:60', '12:00:60', '12:00:61'];
  const wrong = [
    ...dates.flatMap((date) => [date, `${date}T12:00:00Z`, `${date}T12:00+01:00`]),
    ...times.map((time) => `2026-01-01T${time}Z`),
    ...[
      '2026-01-01T12:00',
      '2026-01-01T12:00+25:00',
      '2026-01-01T12:00+01:60',
      '1767139260000',
      'yesterday',
      '',
    ],
  ];
  for (const text of wrong) t.equal(isoTimeMs(text), undefined, text);
});
