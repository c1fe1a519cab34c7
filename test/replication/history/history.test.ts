import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { abandonedBy, recordDecision } from '../../../src/replication/history/decision.ts';
import {
  commonEnd,
  contains,
  NO_HISTORY,
  readHistory,
  relate,
} from '../../../src/replication/history/history.ts';
import { migrate } from '../../../src/sqlite/migrations.ts';
import { type Database, openWriter } from '../../../src/sqlite/open.ts';
import { CommitCounter } from '../../../src/writer/commit-counter.ts';
import { commitAs, commitAsOlder, openWithHistory } from '../../support/commits.ts';

const MIGRATIONS = new URL('../../../src/sqlite/migrations/', import.meta.url);

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'history-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function open(t: Test, path: string): Database {
  const db = openWithHistory(path);
  t.teardown(() => db.close());
  return db;
}

/** Copies a database with its WAL, while nobody writes it. */
function copyTo(t: Test, from: Database, path: string): Database {
  for (const suffix of ['', '-wal']) copyFileSync(from.name + suffix, path + suffix);
  return open(t, path);
}

t.test('a database has the sessions that made its commits, and its last commit', async (t) => {
  const folder = folderOf(t);
  const path = join(folder, 'main.db');
  t.strictSame(readHistory(path), NO_HISTORY, 'of no file');
  const db = open(t, path);
  t.strictSame(readHistory(path), NO_HISTORY, 'before the first commit');
  commitAs(db, 'a', 3);
  commitAs(db, 'b', 0);
  commitAs(db, 'c', 2);
  const { sessions, last, lastAtMs } = readHistory(path);
  t.strictSame(sessions, [
    { session: 'a', firstOrdinal: 1 },
    { session: 'c', firstOrdinal: 4 },
  ]);
  t.strictSame(last, { session: 'c', ordinal: 5 });
  t.ok(lastAtMs > 0);
});

t.test('a history contains exactly the commits that it was made of', async (t) => {
  const folder = folderOf(t);
  const db = open(t, join(folder, 'main.db'));
  commitAs(db, 'a', 3);
  commitAs(db, 'c', 2);
  const history = readHistory(db.name);
  const has = (session: string, ordinal: number) => contains(history, { session, ordinal });
  t.strictSame(
    [0, 1, 3, 4].map((ordinal) => has('a', ordinal)),
    [false, true, true, false],
  );
  t.strictSame(
    [3, 4, 5, 6].map((ordinal) => has('c', ordinal)),
    [false, true, true, false],
  );
  t.equal(has('x', 2), false);
  t.equal(contains(history, undefined), true);
});

t.test('two copies are equal, behind and ahead, or a fork though they count alike', async (t) => {
  const folder = folderOf(t);
  const one = open(t, join(folder, 'one.db'));
  commitAs(one, 'a', 3);
  const two = copyTo(t, one, join(folder, 'two.db'));
  const relation = () => [
    relate(readHistory(one.name), readHistory(two.name)),
    relate(readHistory(two.name), readHistory(one.name)),
  ];
  t.strictSame(relation(), ['equal', 'equal']);
  two.prepare('UPDATE writer_heartbeat SET at_ms = 9').run();
  t.strictSame(relation(), ['equal', 'equal'], 'a heartbeat is no commit');
  commitAs(two, 'a', 1);
  t.strictSame(relation(), ['behind', 'ahead']);
  commitAs(one, 'b', 1);
  t.strictSame(relation(), ['fork', 'fork'], 'both count 4');
  t.strictSame(commonEnd(readHistory(one.name), readHistory(two.name)), { session: 'a', ordinal: 3 });
  const none = open(t, join(folder, 'none.db'));
  t.equal(relate(readHistory(none.name), readHistory(one.name)), 'behind', 'an empty one is a part of each');
  t.equal(commonEnd(readHistory(none.name), readHistory(one.name)), undefined);
});

t.test('a transaction that is undone opens no session', async (t) => {
  const db = open(t, join(folderOf(t), 'main.db'));
  const counter = new CommitCounter(db, 'a');
  t.throws(
    db.transaction(() => {
      counter.count(1);
      throw new Error('undo');
    }),
    { message: 'undo' },
  );
  t.strictSame(readHistory(db.name).sessions, []);
  db.transaction(() => counter.count(2)).immediate();
  t.strictSame(readHistory(db.name).sessions, [{ session: 'a', firstOrdinal: 1 }]);
});

t.test('what a release without sessions commits is told from what comes before and after it', async (t) => {
  const folder = folderOf(t);
  const db = open(t, join(folder, 'main.db'));
  commitAs(db, 'a', 2);
  commitAsOlder(db, 3);
  const copy = copyTo(t, db, join(folder, 'copy.db'));
  const expected = [
    { session: 'a', firstOrdinal: 1 },
    { session: 'older-3', firstOrdinal: 3 },
  ];
  t.strictSame(readHistory(db.name).sessions, expected);
  t.strictSame(readHistory(db.name).last, { session: 'older-3', ordinal: 5 });
  commitAs(db, 'b', 1);
  t.strictSame(readHistory(db.name).sessions, [...expected, { session: 'b', firstOrdinal: 6 }]);
  t.equal(relate(readHistory(db.name), readHistory(copy.name)), 'ahead');
});

t.test('a database of before there were sessions is a part of what it becomes', async (t) => {
  const folder = folderOf(t);
  const migrations = join(folder, 'migrations');
  mkdirSync(migrations);
  cpSync(MIGRATIONS, migrations, { recursive: true, filter: (path) => !/000[3-9]/.test(path) });
  const path = join(folder, 'main.db');
  const db = openWriter(path);
  t.teardown(() => db.close());
  migrate(db, [{ name: 'writer', migrations: new URL(`file://${migrations}/`) }]);
  commitAsOlder(db, 4);
  const before = readHistory(path);
  t.strictSame(before.sessions, [{ session: 'older-1', firstOrdinal: 1 }]);
  t.strictSame(before.last, { session: 'older-1', ordinal: 4 });
  db.transaction(() => {
    migrate(db, [{ name: 'writer', migrations: MIGRATIONS }]);
    new CommitCounter(db, 'a').count(Date.now());
  }).immediate();
  const after = readHistory(path);
  t.strictSame(after.sessions, [
    { session: 'older-1', firstOrdinal: 1 },
    { session: 'a', firstOrdinal: 5 },
  ]);
  t.equal(relate(after, before), 'ahead');
});

t.test('a commit of an open session takes no page more than one of before', async (t) => {
  const db = open(t, join(folderOf(t), 'main.db'));
  const walBytes = () => statSync(`${db.name}-wal`).size;
  const grown = (run: () => void) => {
    const before = walBytes();
    run();
    return walBytes() - before;
  };
  const counter = new CommitCounter(db, 'a');
  db.transaction(() => counter.count(1)).immediate();
  counter.committed();
  const ofOlder = grown(() => commitAsOlder(db, 1));
  t.ok(ofOlder > 0);
  t.equal(
    grown(() => db.transaction(() => counter.count(2)).immediate()),
    ofOlder,
  );
});

t.test('what it was decided to be without is no fork, on whichever side that is known', async (t) => {
  const folder = folderOf(t);
  const one = open(t, join(folder, 'one.db'));
  commitAs(one, 'a', 5);
  const cutPath = join(folder, 'cut.db');
  const before = copyTo(t, one, join(folder, 'before.db'));
  commitAs(one, 'b', 2);
  copyFileSync(before.name, cutPath);
  copyFileSync(`${before.name}-wal`, `${cutPath}-wal`);
  const cut = readHistory(cutPath);
  const lost = readHistory(one.name);
  t.strictSame(
    abandonedBy(
      lost,
      [
        { session: 'b', ordinal: 9 },
        { session: 'c', ordinal: 8 },
      ],
      cut,
    ),
    [
      { session: 'b', firstOrdinal: 6, lastOrdinal: 9 },
      { session: 'c', firstOrdinal: 6, lastOrdinal: 8 },
    ],
  );
  const earlier = { session: 'x', firstOrdinal: 6, lastOrdinal: 6 };
  const again = { ...lost, abandoned: [earlier, earlier, { session: 'a', firstOrdinal: 1, lastOrdinal: 1 }] };
  t.strictSame(
    abandonedBy(again, [], cut),
    [{ session: 'b', firstOrdinal: 6, lastOrdinal: 7 }, earlier],
    'what was given up before is, too, unless it is there again',
  );
  t.strictSame(abandonedBy(again, [], { ...cut, abandoned: [earlier] }).length, 1, 'once');
  const abandoned = abandonedBy(lost, [], cut);
  t.equal(relate(cut, lost), 'behind');
  recordDecision(cutPath, {
    kind: 'restore',
    cut,
    abandoned,
    dismissed: ['0123456789abcdef'],
    decidedBy: 'test',
    atMs: 1,
  });
  const decided = readHistory(cutPath);
  t.strictSame(decided.last, cut.last, 'a decision is no commit');
  t.strictSame(decided.abandoned, [{ session: 'b', firstOrdinal: 6, lastOrdinal: 7 }]);
  t.strictSame(decided.dismissed, ['0123456789abcdef']);
  t.strictSame([relate(decided, lost), relate(lost, decided)], ['ahead', 'behind']);
  const oneMore = { ...lost, last: { session: 'b', ordinal: 8 } };
  t.equal(
    relate(decided, oneMore),
    'ahead',
    'what the replica has of the same writer beyond them goes with them',
  );
  const next = openWriter(cutPath);
  t.teardown(() => next.close());
  commitAs(next, 'd', 1);
  t.strictSame([relate(readHistory(cutPath), lost), relate(lost, readHistory(cutPath))], ['ahead', 'behind']);
  commitAs(one, 'e', 1);
  t.equal(relate(readHistory(cutPath), readHistory(one.name)), 'fork', 'what came later nobody gave up');
});
