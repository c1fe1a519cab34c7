import t from 'tap';
import {
  ACTIONS,
  type Case,
  type Facts,
  judge,
  type ReplicaFacts,
} from '../../../src/replication/history/cases.ts';
import { type History, NO_HISTORY } from '../../../src/replication/history/history.ts';
import { type DatabaseMark, emptyMark } from '../../../src/replication/history/mark.ts';

/** A history from sessions and how many commits each made: `a3 b2`. */
function of(text: string): History {
  const sessions = [];
  let ordinal = 0;
  for (const [, session = '', count] of text.matchAll(/([a-z]+)(\d+)/g)) {
    sessions.push({ session, firstOrdinal: ordinal + 1 });
    ordinal += Number(count);
  }
  const session = sessions.at(-1)?.session;
  return { ...NO_HISTORY, sessions, last: session === undefined ? undefined : { session, ordinal } };
}

/** What was told up to the end of a history. */
function told(text: string, more: Partial<DatabaseMark> = {}): DatabaseMark {
  const { last } = of(text);
  const position = last && { ...last, atMs: 1 };
  const segment = { generation: 'g', index: 0, offsetBytes: 0 };
  return { ...emptyMark(), local: position, replicated: position, segment, generations: ['g'], ...more };
}

const replica = (...histories: readonly string[]): ReplicaFacts => ({
  isEmpty: false,
  isShrunk: false,
  isApart: false,
  candidates: histories.map((text, index) => ({ generation: `g${index}`, history: of(text) })),
  unreadable: [],
});

function casesOf(database: string, more: Partial<Facts> = {}): readonly Case[] {
  const facts: Facts = {
    database: of(database),
    mark: told(database),
    isMarkOfThis: true,
    isReplicaOfMark: true,
    hasSidecar: true,
    isBehindSidecar: false,
    replica: replica(),
    ...more,
  };
  return judge(facts).cases;
}

const EXPECTED: readonly [string, readonly Case[], readonly Case[]][] = [
  ['all fits', casesOf('a3'), ['plain']],
  ['the database is ahead of what was told', casesOf('a3 b2', { mark: told('a3') }), ['plain']],
  ['the replica is behind', casesOf('a3 b2', { replica: replica('a3') }), ['plain']],
  ['nothing is remembered', casesOf('a3', { mark: undefined }), ['plain']],
  ['what was told is nowhere', casesOf('a2', { mark: told('a3') }), ['behind']],
  [
    'it is of before the database was begun anew',
    casesOf('a3', { mark: told('b1', { beginning: 'b' }) }),
    ['given-up'],
  ],
  [
    'it goes on from where the database was begun anew',
    casesOf('b1 c1', { mark: told('b1 c1', { beginning: 'b' }) }),
    ['plain'],
  ],
  ['the replica is another one', casesOf('a3', { isReplicaOfMark: false }), ['replica-changed']],
  ['the replica is empty', casesOf('a3', { replica: { ...replica(), isEmpty: true } }), ['replica-emptied']],
  [
    'it is empty, as it has been',
    casesOf('a3', {
      mark: told('a3', { segment: undefined, replicated: undefined }),
      replica: { ...replica(), isEmpty: true },
    }),
    ['plain'],
  ],
  [
    'it has more without a commit',
    casesOf('a3', { replica: { ...replica(), isApart: true } }),
    ['replica-apart'],
  ],
  ['its end is gone', casesOf('a3', { replica: { ...replica(), isShrunk: true } }), ['replica-shrunk']],
  ['the sidecar is gone', casesOf('a3', { hasSidecar: false }), ['sidecar-gone']],
  [
    'a generation cannot be restored',
    casesOf('a3', { replica: { ...replica(), unreadable: ['g'] } }),
    ['unreadable'],
  ],
  [
    'commits are nowhere, and the replica is empty',
    casesOf('a2', { mark: told('a3'), replica: { ...replica(), isEmpty: true } }),
    ['behind', 'replica-emptied'],
  ],
  [
    'it has again what was given up',
    casesOf('a3', {
      database: { ...of('a3'), abandoned: [{ session: 'a', firstOrdinal: 3, lastOrdinal: 3 }] },
    }),
    ['given-up'],
  ],
  [
    'another replica has what was given up to begin anew',
    casesOf('b2', {
      database: { ...of('b2'), abandoned: [{ session: 'a', firstOrdinal: 1, lastOrdinal: 3 }] },
      isReplicaOfMark: false,
      replica: replica('x1 a2'),
    }),
    ['replica-changed'],
  ],
  [
    'it may lack what was told in the last second, and the replica is silent',
    casesOf('a3', { isBehindSidecar: true, replica: undefined }),
    ['silent-unknown'],
  ],
  [
    'it has, and the replica is silent',
    casesOf('a3', {
      database: { ...of('a3'), abandoned: [{ session: 'a', firstOrdinal: 3, lastOrdinal: 3 }] },
      replica: undefined,
    }),
    ['silent-unknown'],
  ],
  ['the replica has more', casesOf('a2', { replica: replica('a1', 'a3 b2', 'a3') }), ['replica-ahead']],
  ['of an empty database too', casesOf('', { replica: replica('a3') }), ['replica-ahead']],
  [
    'it has more again',
    casesOf('a2', {
      mark: told('a3', { restored: { session: 'a', ordinal: 3 } }),
      replica: replica('a3 b1'),
    }),
    ['ahead-again'],
  ],
  ['both have gone on', casesOf('a3 b1', { replica: replica('a3 c1') }), ['fork']],
  [
    'a writer was killed over the last commit in the replica',
    casesOf('a3 b1', { replica: { ...replica(), candidates: [{ generation: 'g', history: of('a3 c1') }] } }),
    ['unanswered'],
  ],
  [
    'it was the last of a longer life',
    casesOf('a3 b2', { replica: { ...replica(), candidates: [{ generation: 'g', history: of('a4') }] } }),
    ['unanswered'],
  ],
  [
    'the generation is that of another replica',
    casesOf('a3 b1', {
      isReplicaOfMark: false,
      replica: { ...replica(), candidates: [{ generation: 'g', history: of('a3 c1') }] },
    }),
    ['fork'],
  ],
  [
    'more than one commit is only there',
    casesOf('a3 b1', { replica: { ...replica(), candidates: [{ generation: 'g', history: of('a3 c2') }] } }),
    ['fork'],
  ],
  [
    'what is only there is newer than what is only here',
    casesOf('a3 b1', {
      replica: {
        ...replica(),
        candidates: [{ generation: 'g', history: { ...of('a3 c1'), lastAtMs: 1 } }],
      },
    }),
    ['fork'],
  ],
  [
    'and it is not known what was told',
    casesOf('a3 b1', { mark: undefined, replica: replica('a3 c1') }),
    ['fork'],
  ],
  ['two in the replica have gone on apart', casesOf('a3', { replica: replica('a3 b1', 'a3 c1') }), ['fork']],
  [
    'both have gone on, and only the replica has what was told',
    casesOf('a3 b1', { mark: told('a3 c1'), replica: replica('a3 c2') }),
    ['replica-wins'],
  ],
  [
    'nobody has what was told',
    casesOf('a3 b1', { mark: told('a3 d1'), replica: replica('a3 c2') }),
    ['fork'],
  ],
  ['the store is away', casesOf('a3', { replica: undefined }), ['silent']],
  ['and the database is ahead', casesOf('a4', { mark: told('a3'), replica: undefined }), ['silent']],
  ['and it lacks something', casesOf('a2', { mark: told('a3'), replica: undefined }), ['silent-unknown']],
  ['and nothing is remembered', casesOf('a2', { mark: undefined, replica: undefined }), ['silent-unknown']],
  [
    'and the file is another one',
    casesOf('a2', { isMarkOfThis: false, replica: undefined }),
    ['silent-unknown'],
  ],
  ['and it has no session', casesOf('', { mark: undefined, replica: undefined }), ['silent']],
];

for (const [name, found, expected] of EXPECTED) t.strictSame(found, expected, name);

t.strictSame(
  [...new Set(EXPECTED.flatMap(([, , cases]) => cases))].sort(),
  Object.keys(ACTIONS).sort(),
  'each case is met',
);
