import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { HistoryKeeper } from '../../../src/replication/history/keeper.ts';
import { markPath, newMark, readMark, writeMark } from '../../../src/replication/history/mark.ts';
import { until } from '../../support/system.ts';
import { keepingLog } from '../fixture.ts';

const REPLICA_URL = 'file:/replica';

function keeperOf(t: Test, given?: string) {
  const dataDir = given ?? mkdtempSync(join(tmpdir(), 'keeper-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const { log, lines } = keepingLog();
  const notices: string[] = [];
  return {
    dataDir,
    lines,
    notices,
    keeper: new HistoryKeeper({
      dataDir,
      replicaUrl: REPLICA_URL,
      log,
      onNotice: (text) => notices.push(text),
      onChange: () => {},
    }),
  };
}

const report = (ordinal: number, session: string | undefined = 's') => ({
  main: {
    lagMs: 0,
    unconfirmedBytes: 0,
    unconfirmedCommits: 0,
    lastCommit: { session, ordinal, atMs: 7 },
    confirmed: { session, ordinal: ordinal - 1, atMs: 6, generation: 'g', salt: 'x', offsetBytes: 9 },
  },
});
const segment = { generation: 'g', index: 2, offsetBytes: 4152 };
const confirmation = { database: 'main', generation: 'g', salt: 'x', offsetBytes: 9, segment };

t.test('what was told is remembered, for the owner alone, and found by the next system', async (t) => {
  const { dataDir, keeper } = keeperOf(t);
  writeFileSync(join(dataDir, 'main.db'), 'x');
  keeper.open();
  keeper.told(report(5));
  keeper.confirmed(confirmation);
  await until(() => readMark(dataDir) !== undefined, 'it is written by itself');
  const { databases, replicaUrl } = readMark(dataDir)!;
  t.equal(replicaUrl, REPLICA_URL);
  t.strictSame(databases, {
    main: {
      inode: statSync(join(dataDir, 'main.db')).ino,
      local: { session: 's', ordinal: 5, atMs: 7 },
      replicated: { session: 's', ordinal: 4, atMs: 6 },
      segment,
      generations: ['g'],
    },
  });
  t.equal(statSync(markPath(dataDir)).mode & 0o777, 0o600);
  keeper.close(true);
  const next = keeperOf(t, dataDir).keeper;
  next.open();
  next.confirmed({ ...confirmation, generation: 'h', segment: { ...segment, generation: 'h' } });
  next.close(true);
  t.strictSame(readMark(dataDir)!.databases.main!.generations, ['g', 'h']);
  t.strictSame(readMark(dataDir)!.databases.main!.local, { session: 's', ordinal: 5, atMs: 7 });
});

t.test('the file is written only when something has moved', async (t) => {
  const { dataDir, keeper } = keeperOf(t);
  keeper.open();
  keeper.told(report(5));
  await until(() => readMark(dataDir) !== undefined, 'it is written');
  const { ino } = statSync(markPath(dataDir));
  keeper.told(report(5));
  // Longer than the delay after which it would be.
  await new Promise((resolve) => setTimeout(resolve, 1300));
  t.equal(statSync(markPath(dataDir)).ino, ino);
  keeper.told(report(6));
  await until(() => readMark(dataDir)?.databases.main?.local?.ordinal === 6, 'it is written again');
  t.not(statSync(markPath(dataDir)).ino, ino);
  keeper.close(true);
});

t.test('a closed one leaves the file to whoever prepares the databases', async (t) => {
  const { dataDir, keeper } = keeperOf(t);
  keeper.told(report(5));
  keeper.close(true);
  t.equal(readMark(dataDir), undefined);
});

t.test('what tells no session moves nothing', async (t) => {
  const { dataDir, keeper } = keeperOf(t);
  keeper.open();
  keeper.told({ main: { ...report(5).main, lastCommit: { ordinal: 5, atMs: 7 }, confirmed: undefined } });
  keeper.close(true);
  t.strictSame(readMark(dataDir)!.databases, {});
  t.equal(readMark(dataDir)!.isFinal, false, 'nor is it the last word');
});

t.test('a comparison that ends in a refusal while it serves is told, logged and shown', async (t) => {
  const { keeper, lines, notices } = keeperOf(t);
  keeper.open();
  keeper.refused('they have gone on apart');
  t.strictSame(notices, ['they have gone on apart']);
  t.strictSame(
    lines.map(({ level, msg }) => [level, msg]),
    [[40, 'they have gone on apart']],
  );
  t.equal(keeper.trouble, 'they have gone on apart');
  keeper.close(true);
});

t.test('what a start has found is told once, and stays until it is acknowledged', async (t) => {
  const { dataDir, keeper, notices } = keeperOf(t);
  const found = { atMs: 1, text: 'the replica was emptied', isRecorded: false };
  writeMark(dataDir, { ...newMark(REPLICA_URL), notices: [found] }, false);
  keeper.open();
  t.strictSame(notices, [found.text]);
  t.strictSame(
    readMark(dataDir)!.notices,
    [{ ...found, isRecorded: true }],
    'at once, since a kill may follow',
  );
  keeper.close(true);
  const next = keeperOf(t, dataDir);
  next.keeper.open();
  t.strictSame(next.notices, []);
  t.equal(next.keeper.trouble, found.text);
  t.equal(next.keeper.acknowledge(), 1);
  t.equal(next.keeper.trouble, undefined);
  t.strictSame(readMark(dataDir)!.notices, [], 'also for the start after a kill');
  next.keeper.close(true);
});

t.test('what a running system has found is kept at once, too', async (t) => {
  const { dataDir, keeper, notices } = keeperOf(t);
  keeper.open();
  keeper.found('another generation is there');
  t.strictSame(notices, ['another generation is there']);
  t.strictSame(
    readMark(dataDir)!.notices.map(({ text, isRecorded }) => ({ text, isRecorded })),
    [{ text: 'another generation is there', isRecorded: true }],
  );
  keeper.close(true);
});

t.test('a file that cannot be read as a mark is not known', async (t) => {
  const { dataDir } = keeperOf(t);
  mkdirSync(dirname(markPath(dataDir)));
  const database = { local: { session: 's', ordinal: '5', atMs: 1 }, generations: [] };
  const broken = [
    '',
    '{',
    '[]',
    '{"version":2,"replicaUrl":"file:/r","databases":{},"notices":[]}',
    '{"version":1,"databases":{},"notices":[]}',
    '{"version":1,"replicaUrl":"file:/r","databases":{}}',
    JSON.stringify({ version: 1, replicaUrl: 'file:/r', databases: { main: database }, notices: [] }),
  ];
  for (const text of broken) {
    writeFileSync(markPath(dataDir), text);
    t.equal(readMark(dataDir), undefined, text);
  }
});
