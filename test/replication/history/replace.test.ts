import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readHistory } from '../../../src/replication/history/history.ts';
import { newMark, readMark, writeMark } from '../../../src/replication/history/mark.ts';
import { finishReplacement, replaceDatabases } from '../../../src/replication/history/replace.ts';
import { commitAs, openWithHistory } from '../../support/commits.ts';

const REPLICA_URL = 'file:/replica';
const NAMES = ['main', 'media'];
const GIVEN_UP = [{ session: 'old', firstOrdinal: 1, lastOrdinal: 2 }];

/** Two databases of session `old`, and two of session `new` that are to take their places. */
function setup(t: Test) {
  const dataDir = mkdtempSync(join(tmpdir(), 'replace-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  mkdirSync(join(dataDir, 'restore'));
  const make = (path: string, session: string) => {
    const db = openWithHistory(path);
    commitAs(db, session, 2);
    db.close();
  };
  const folder = join(dataDir, 'replaced', 'now');
  const requests = NAMES.map((database) => {
    const from = join(dataDir, 'restore', `${database}.db`);
    make(join(dataDir, `${database}.db`), 'old');
    make(from, 'new');
    const decision = {
      kind: 'restore' as const,
      cut: readHistory(from),
      dismissed: ['0123456789abcdef'],
      decidedBy: 'test',
      atMs: 1,
    };
    return { database, from, folder, decision, generations: ['0123456789abcdef'], isBecauseAhead: false };
  });
  for (const { from } of requests) for (const end of ['-wal', '-shm']) rmSync(from + end, { force: true });
  const sessionsIn = (place: string) =>
    NAMES.map((name) => readHistory(join(place, `${name}.db`)).sessions[0]?.session);
  return { dataDir, folder, requests, sessionsIn };
}

t.test('databases are replaced together, and what was decided is in each and in the mark', async (t) => {
  const { dataDir, folder, requests, sessionsIn } = setup(t);
  replaceDatabases(dataDir, REPLICA_URL, requests);
  t.strictSame(sessionsIn(dataDir), ['new', 'new']);
  t.strictSame(sessionsIn(folder), ['old', 'old']);
  const { databases, replacement } = readMark(dataDir)!;
  t.equal(replacement, undefined);
  for (const { database, decision } of requests) {
    const { last, abandoned, dismissed } = readHistory(join(dataDir, `${database}.db`));
    t.strictSame({ abandoned, dismissed }, { abandoned: GIVEN_UP, dismissed: decision.dismissed });
    const { atMs: _, ...local } = databases[database]!.local!;
    t.strictSame(local, last);
    t.strictSame(databases[database]!.abandoned, GIVEN_UP);
    t.strictSame(databases[database]!.generations, ['0123456789abcdef']);
  }
});

/** Leaves everything as a crash does after so many of the files have moved. */
function crashAfter(moves: number, { dataDir, folder, requests }: ReturnType<typeof setup>): void {
  const saved = join(dataDir, 'saved');
  mkdirSync(saved);
  for (const { database, from } of requests) {
    copyFileSync(from, join(saved, `${database}-new.db`));
    copyFileSync(join(dataDir, `${database}.db`), join(saved, `${database}-old.db`));
  }
  // What it is about to do is taken from a run that got to its end.
  let intent: ReturnType<typeof readMark>;
  try {
    mkdirSync(join(dataDir, 'replaced'), { recursive: true });
    copyFileSync(join(saved, 'main-new.db'), folder);
    replaceDatabases(dataDir, REPLICA_URL, requests);
    throw new Error('it did not fail');
  } catch {
    intent = readMark(dataDir);
  }
  rmSync(folder);
  mkdirSync(folder);
  const steps = requests.flatMap(({ database, from }) => {
    const path = join(dataDir, `${database}.db`);
    return [() => renameSync(path, join(folder, `${database}.db`)), () => renameSync(from, path)];
  });
  for (const step of steps.slice(0, moves)) step();
  writeMark(dataDir, intent ?? newMark(REPLICA_URL), true);
}

t.test('a crash in the middle is finished by the next one', async (t) => {
  for (const moves of [0, 1, 2, 3, 4]) {
    await t.test(`after ${moves} files`, async (t) => {
      const made = setup(t);
      const { dataDir, folder, sessionsIn } = made;
      crashAfter(moves, made);
      t.ok(readMark(dataDir)!.replacement, 'it is remembered');
      finishReplacement(dataDir, REPLICA_URL);
      t.strictSame(sessionsIn(dataDir), ['new', 'new']);
      t.strictSame(sessionsIn(folder), ['old', 'old']);
      t.equal(readMark(dataDir)!.replacement, undefined);
      finishReplacement(dataDir, REPLICA_URL);
      t.strictSame(sessionsIn(dataDir), ['new', 'new'], 'once');
      const { rewinds = [], notices } = readMark(dataDir)!;
      const ends = { from: 2, to: 2, folder: join('replaced', 'now') };
      t.strictSame(
        rewinds.map(({ database, from, to, folder }) => ({
          database,
          from: from.ordinal,
          to: to.ordinal,
          folder,
        })),
        NAMES.map((database) => ({ database, ...ends })),
        'the features are to hear of each once',
      );
      t.strictSame(
        notices.map(({ quarantine }) => quarantine),
        NAMES.map(() => ends.folder),
        'and a person of what is kept',
      );
    });
  }
});

t.test('where what was to come is gone, what was there is put back', async (t) => {
  const made = setup(t);
  const { dataDir, folder, sessionsIn } = made;
  crashAfter(1, made);
  rmSync(join(dataDir, 'restore'), { recursive: true });
  finishReplacement(dataDir, REPLICA_URL);
  t.strictSame(sessionsIn(dataDir), ['old', 'old']);
  t.notOk(existsSync(join(folder, 'main.db')));
  t.strictSame(readMark(dataDir)!.rewinds, [], 'nothing has gone back');
  t.equal(readMark(dataDir)!.replacement, undefined);
});
