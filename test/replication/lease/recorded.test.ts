import t from 'tap';
import { type History, NO_HISTORY } from '../../../src/replication/history/history.ts';
import { emptyMark } from '../../../src/replication/history/mark.ts';
import { lostSince } from '../../../src/replication/lease/recorded.ts';

const restored: History = {
  ...NO_HISTORY,
  sessions: [
    { session: 'a', firstOrdinal: 1 },
    { session: 'b', firstOrdinal: 4 },
  ],
  last: { session: 'b', ordinal: 6 },
};
const after = { session: 'b', ordinal: 9 };

t.test('what the record names as replicated and a restored database has not is told', async (t) => {
  const told = (range: string, session: string) =>
    `its owner's record names commits ${range} of session ${session} as replicated, and they are not there any more`;
  for (const [recorded, expected] of [
    [undefined, undefined],
    [{ session: 'b', ordinal: 6 }, undefined],
    [{ session: 'a', ordinal: 3 }, undefined],
    [after, told('7 to 9', 'b')],
    [{ session: 'c', ordinal: 5 }, told('5 to 5', 'c')],
  ] as const)
    t.equal(lostSince(recorded, restored, undefined), expected, JSON.stringify(recorded));
  t.equal(lostSince(after, NO_HISTORY, undefined), told('1 to 9', 'b'));
});

t.test('what was given up is not missing, whoever remembers that', async (t) => {
  const abandoned = [{ session: 'b', firstOrdinal: 7, lastOrdinal: 9 }];
  t.equal(lostSince(after, { ...restored, abandoned }, undefined), undefined);
  t.equal(lostSince(after, restored, { ...emptyMark(), abandoned }), undefined);
});
