import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import t, { type Test } from 'tap';
import { readHistory } from '../../src/replication/history/history.ts';
import { markPath, readMark, writeMark } from '../../src/replication/history/mark.ts';
import { mountPointOf } from '../../src/replication/history/mount.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { command } from '../cli/command.ts';
import { bare } from '../support/bare.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { nextSecond } from '../support/next-second.ts';
import { notesIn } from '../support/notes.ts';
import { launch, start, temporaryFolder, until } from '../support/system.ts';
import { told } from '../support/told.ts';
import { degraded, type Place, placeOf, session, write } from './history-fixture.ts';

async function refused(t: Test, { dataDir, env }: Place, code: number): Promise<string> {
  const system = launch(t, env, dataDir);
  system.ready().then(
    () => system.kill('SIGTERM'),
    () => {},
  );
  t.equal((await system.ended()).code, code);
  return system.stderr;
}

t.test(
  'after a stop the mark names the last commit of each database, and what the replica has',
  async (t) => {
    const place = placeOf(t);
    await session(t, place, 'a');
    await session(t, place, 'b', 'c');
    const { databases, isFinal, notices } = readMark(place.dataDir)!;
    t.equal(isFinal, true);
    t.strictSame(notices, [], 'two starts in a row find nothing');
    for (const name of ['main', 'media']) {
      const { sessions, last } = readHistory(join(place.dataDir, `${name}.db`));
      const mark = databases[name]!;
      const { atMs: _, ...local } = mark.local!;
      t.strictSame(local, last, name);
      t.equal(sessions.length, name === 'main' ? 2 : 1, 'a session that commits nothing is none');
      t.equal(mark.generations.length, 1);
      t.equal(mark.segment!.generation, mark.generations[0]);
    }
  },
);

t.test('a WAL that is removed after a clean stop comes back from the replica, once', async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a', 'b');
  rmSync(join(place.dataDir, 'main.db-wal'));
  const system = await start(t, place.env, place.dataDir);
  t.strictSame(notesIn(join(place.dataDir, 'main.db')), ['a', 'b']);
  const { history } = await degraded(system);
  t.match(history, /main ends with .* contains it and has commits .*What was there is in .*replaced/);
  t.strictSame(told(place.dataDir), [history]);
  const [folder = ''] = readdirSync(join(place.dataDir, 'replaced'));
  t.ok(existsSync(join(place.dataDir, 'replaced', folder, 'main.db')), 'what was there is kept');
  await write(system, 'c');
  like(t, await command(['acknowledge'], { DATA_DIR: place.dataDir }), {
    code: 0,
    stdout: 'acknowledged: 1\n',
  });
  t.notOk('history' in (await degraded(system)));
  await system.stop();

  rmSync(join(place.dataDir, 'main.db-wal'));
  const before = readFileSync(join(place.dataDir, 'main.db'));
  t.match(await refused(t, place, 65), /is behind again.*restore -- --in-place/);
  t.ok(readFileSync(join(place.dataDir, 'main.db')).equals(before), 'nothing was changed');
});

t.test('with HEAL=manual it is not brought back, but the choice is told', async (t) => {
  const place = placeOf(t, { HEAL: 'manual' });
  await session(t, place, 'a');
  rmSync(join(place.dataDir, 'main.db-wal'));
  t.match(await refused(t, place, 65), /has commits .* beyond.*HEAL=manual: nothing was changed/);
  t.notOk(existsSync(join(place.dataDir, 'replaced')));
});

t.test(
  'two copies that have gone on apart are not mixed: the start says which commits each has',
  async (t) => {
    const place = placeOf(t);
    await session(t, place, 'a');
    const copy: Place = { ...placeOf(t), env: {} };
    cpSync(place.dataDir, copy.dataDir, { recursive: true });
    await session(t, place, 'b');
    // Not seen by the other one, it goes on with a replica of its own.
    await session(t, { ...copy, env: { REPLICA_URL: `file:${join(copy.folder, 'other')}` } }, 'c', 'd');
    const forked = { ...copy, env: place.env };
    const replica = () => readdirSync(join(place.folder, 'replica'), { recursive: true }).sort();
    const before = replica();
    for (const which of ['the first start', 'the next one']) {
      const text = await refused(t, forked, 65);
      t.match(
        text,
        /have gone on apart after commit \d+: commits \d+ to .* only here, .* only in generation/,
        which,
      );
    }
    t.strictSame(replica(), before, 'nothing was added to the replica');
    t.strictSame(notesIn(join(copy.dataDir, 'main.db')), ['a', 'c', 'd']);
  },
);

t.test('a replica that is emptied is seeded anew, and that is told', async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a');
  rmSync(join(place.folder, 'replica', 'main'), { recursive: true });
  const system = await start(t, place.env, place.dataDir);
  like(t, await degraded(system), { history: /has nothing of main any more/ });
  t.equal(told(place.dataDir).length, 1);
  await write(system, 'b');
  t.equal((await command(['verify'], { DATA_DIR: place.dataDir })).code, 0);
  t.notOk('history' in (await degraded(system)), 'a drill that passed proves it');
  await system.stop();
});

function isWholeAlone(t: Test, path: string): boolean {
  const copy = join(temporaryFolder(t), 'alone.db');
  copyFileSync(path, copy);
  const db = new Sqlite(copy);
  try {
    return db.pragma('quick_check', { simple: true }) === 'ok';
  } catch {
    return false;
  } finally {
    db.close();
  }
}

t.test("what only Litestream's copy of a WAL still has comes back, and is told", async (t) => {
  const place = placeOf(t);
  const first = await start(t, place.env, place.dataDir);
  await write(first, 'a', 'b');
  await first.destroy();
  // A kill within a checkpoint leaves a file of which nothing can be made without its WAL.
  await until(async () => {
    if (isWholeAlone(t, join(place.dataDir, 'main.db'))) return true;
    await (await start(t, place.env, place.dataDir)).destroy();
    return false;
  }, 'it was killed between two checkpoints');
  const { last } = readHistory(join(place.dataDir, 'main.db'));
  rmSync(join(place.dataDir, 'main.db-wal'));
  rmSync(join(place.folder, 'replica', 'main'), { recursive: true });
  const system = await start(t, place.env, place.dataDir);
  t.strictSame(notesIn(join(place.dataDir, 'main.db')), ['a', 'b']);
  const { history = '' } = await degraded(system);
  const commits = new RegExp(
    `still had commits \\d+ to ${last!.ordinal}, which no replica has: they are back\\.`,
  );
  t.match(history, commits);
  t.strictSame(told(place.dataDir), [history]);
  await write(system, 'c');
  await system.stop();
  const file = join(temporaryFolder(t), 'restored.db');
  const ran = await command(['restore', '--to', file], { ...place.env, DATA_DIR: place.dataDir });
  t.equal(ran.code, 0, ran.stderr);
  t.strictSame(notesIn(file), ['a', 'b', 'c'], 'and the replica has them, too');
});

t.test('a database that lacks what was told, with nobody who has it, goes on and says so', async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a');
  rmSync(join(place.dataDir, 'main.db-wal'));
  rmSync(join(place.dataDir, '.main.db-litestream'), { recursive: true });
  rmSync(join(place.folder, 'replica', 'main'), { recursive: true });
  const system = await start(t, place.env, place.dataDir);
  like(t, await degraded(system), { history: /main lacks commits? .* told.* has nothing newer/ });
  await write(system, 'b');
  await system.stop();
  const next = await start(t, place.env, place.dataDir);
  t.equal(told(next.dataDir).length, 1, 'it is told once');
});

t.test(
  'another replica, and the first one again: each gets what it lacks, and each change is told',
  async (t) => {
    const place = placeOf(t);
    const other = { ...place, env: { REPLICA_URL: `file:${join(place.folder, 'b')}` } };
    await session(t, place, 'a');
    await session(t, other, 'b');
    await session(t, place, 'c');
    const lines = told(place.dataDir);
    const patterns = [/is file:.*\/b now/, /media/, /is file:.*\/replica now/, /media/];
    t.equal(lines.length, patterns.length);
    for (const [index, pattern] of patterns.entries()) t.match(lines[index], pattern);
    const folder = temporaryFolder(t);
    for (const [name, { env }, expected] of [
      ['b', other, ['a', 'b']],
      ['a', place, ['a', 'b', 'c']],
    ] as const) {
      const file = join(folder, `${name}.db`);
      const ran = await command(['restore', '--to', file], { ...env, DATA_DIR: place.dataDir });
      t.equal(ran.code, 0, ran.stderr);
      t.strictSame(notesIn(file), expected);
    }
  },
);

t.test(
  'with the store away a whole database serves, and nothing is uploaded before they are compared',
  async (t) => {
    const folder = temporaryFolder(t);
    const mount = join(folder, 'mount');
    mkdirSync(mount);
    const place = { ...placeOf(t), env: { REPLICA_URL: `file:${join(mount, 'replica')}` } };
    await session(t, place, 'a');
    renameSync(mount, join(folder, 'away'));
    const system = await start(t, place.env, place.dataDir);
    like(t, await degraded(system), { history: /cannot be compared with .* nothing is uploaded/ });
    t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('b') })).status, 201);
    const patient = { method: 'POST', body: noteOf('c'), headers: { Durability: 'replicated' } };
    const answer = request(`${system.url}/note`, patient);
    renameSync(join(folder, 'away'), mount);
    t.equal((await answer).status, 201, 'it is replicated when that is done');
    t.notOk('history' in (await degraded(system)), 'it is not degraded any more');
    const [line, ...more] = told(place.dataDir);
    t.match(line, /main cannot be compared .*media cannot be compared/, 'and it was told');
    t.strictSame(more, [], 'once');
  },
);

t.test('a folder whose disk is not mounted gets nothing, and the database serves', async (t) => {
  const place = placeOf(t);
  const mount = join(place.folder, 'mount');
  mkdirSync(mount);
  const onDisk = { ...place, env: { REPLICA_URL: `file:${join(mount, 'replica')}` } };
  await session(t, onDisk, 'a');
  t.equal(readMark(place.dataDir)!.mountPoint, mountPointOf(mount));
  // As if a disk had been mounted there; then what is below the mount point is empty.
  writeMark(place.dataDir, { ...readMark(place.dataDir)!, mountPoint: mount }, false);
  renameSync(join(mount, 'replica'), join(place.folder, 'on-disk'));
  const system = await start(t, onDisk.env, place.dataDir);
  like(t, await degraded(system), { history: /mount, which it was on, is not mounted/ });
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('b') })).status, 201);
  await system.stop();
  t.strictSame(readdirSync(mount), [], 'nothing was written below it');
  rmSync(join(place.dataDir, 'main.db'));
  t.match(
    await refused(t, onDisk, 75),
    /which it was on, is not mounted/,
    'without a database it is a refusal',
  );
});

t.test('with the store away a database of which nothing is known does not serve', async (t) => {
  const folder = temporaryFolder(t);
  const mount = join(folder, 'mount');
  mkdirSync(mount);
  const place = { ...placeOf(t), env: { REPLICA_URL: `file:${join(mount, 'replica')}` } };
  await session(t, place, 'a');
  renameSync(mount, join(folder, 'away'));
  rmSync(join(place.dataDir, 'run', 'history.json'));
  t.match(await refused(t, place, 75), /nothing is remembered of it.*cannot be compared/);
  renameSync(join(folder, 'away'), mount);
  await session(t, place, 'b');
  t.strictSame(told(place.dataDir), [], 'and with it there all is plain');
});

t.test(
  'what was restored to a time stays so at the next starts, also where nothing is remembered',
  async (t) => {
    const place = placeOf(t);
    await session(t, place, 'a');
    await nextSecond();
    const between = new Date().toISOString();
    await nextSecond();
    await session(t, place, 'b');
    const ran = await command(['restore', '--in-place', '--at', between], {
      ...place.env,
      DATA_DIR: place.dataDir,
    });
    t.equal(ran.code, 0, ran.stderr);
    const mainPath = join(place.dataDir, 'main.db');
    for (const [index, id] of ['c', 'd', 'e'].entries()) {
      if (index === 2) rmSync(join(place.dataDir, 'run', 'history.json'));
      const system = await start(t, place.env, place.dataDir);
      t.strictSame(notesIn(mainPath), ['a', 'c', 'd'].slice(0, index + 1), `start ${index + 1}`);
      await write(system, id);
      await system.stop();
    }
    const [kept = '', ...more] = told(place.dataDir);
    t.match(kept, /keeps what there is of commit \d+ of main, which the database goes on without/);
    t.strictSame(more, [], 'nothing is told at the starts after the first');
  },
);

t.test('a file of earlier below the WAL of now is no database: the replica takes its place', async (t) => {
  const place = placeOf(t);
  const mainPath = join(place.dataDir, 'main.db');
  const empty = () => {
    const db = openWriter(mainPath);
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.close();
  };
  await session(t, place, 'a');
  empty();
  const earlier = join(place.folder, 'main.db');
  cpSync(mainPath, earlier);
  await session(t, place, 'b');
  empty();
  await session(t, place, 'c');
  cpSync(earlier, mainPath);
  const system = await start(t, place.env, place.dataDir);
  t.strictSame(notesIn(mainPath), ['a', 'b', 'c']);
  t.ok(
    system.lines.some(({ msg }) => /main is damaged: its WAL goes on from commit .* two moments/.test(msg)),
  );
  t.equal(readdirSync(join(place.dataDir, 'damaged')).length, 1, 'what was there is kept');
  await system.stop();
});

t.test(
  'after a kill, with the WAL lost and the store away, nothing serves without what was told last',
  async (t) => {
    const folder = temporaryFolder(t);
    const mount = join(folder, 'mount');
    mkdirSync(mount);
    const place = { ...placeOf(t), env: { REPLICA_URL: `file:${join(mount, 'replica')}` } };
    await session(t, place, 'a');
    const db = openWriter(join(place.dataDir, 'main.db'));
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.close();
    const system = await start(t, place.env, place.dataDir);
    const markOfBefore = readFileSync(markPath(place.dataDir));
    await write(system, 'b');
    await system.destroy();
    // It is written a second late.
    writeFileSync(markPath(place.dataDir), markOfBefore);
    rmSync(join(place.dataDir, 'main.db-wal'));
    renameSync(mount, join(folder, 'away'));
    t.match(
      await refused(t, place, 75),
      /main.db lacks what Litestream's files beside it have.*cannot be compared/,
    );
    renameSync(join(folder, 'away'), mount);
    const next = await start(t, place.env, place.dataDir);
    t.strictSame(notesIn(join(place.dataDir, 'main.db')), ['a', 'b']);
    await next.stop();
  },
);

t.test('a copy of before a restore does not undo it', async (t) => {
  const place = placeOf(t);
  const restoreTo = async (...at: readonly string[]) => {
    const ran = await command(['restore', '--in-place', ...at], { ...place.env, DATA_DIR: place.dataDir });
    t.equal(ran.code, 0, ran.stderr);
  };
  await session(t, place, 'a');
  await nextSecond();
  const between = new Date().toISOString();
  await nextSecond();
  await session(t, place, 'b');
  const mainPath = join(place.dataDir, 'main.db');
  const copy = join(place.folder, 'main.db');
  cpSync(mainPath, copy);
  cpSync(`${mainPath}-wal`, `${copy}-wal`);
  await restoreTo('--at', between);
  cpSync(copy, mainPath);
  cpSync(`${copy}-wal`, `${mainPath}-wal`);
  t.match(await refused(t, place, 65), /has commits that it was decided to be without.*Nothing was changed/);
  t.strictSame(notesIn(mainPath), ['a', 'b']);
  // What is decided last counts.
  await restoreTo();
  const system = await start(t, place.env, place.dataDir);
  t.strictSame(notesIn(mainPath), ['a', 'b']);
  await system.stop();
});

/** Makes of a database what the version without sessions leaves, in a process that dies as a writer does at a stop. */
async function makeOlder(path: string): Promise<void> {
  const script = `
    import { openWriter } from ${JSON.stringify(import.meta.resolve('../../src/sqlite/open.ts'))};
    const db = openWriter(${JSON.stringify(path)});
    db.exec(\`BEGIN;
      DROP TABLE writer_session; DROP TABLE writer_decision; DROP TABLE writer_rewind;
      ALTER TABLE writer_commit DROP COLUMN session_ordinal;
      ALTER TABLE writer_commit DROP COLUMN outcomes;
      CREATE INDEX writer_idempotency_by_age ON writer_idempotency (at_ms);
      DELETE FROM migrations WHERE owner = 'writer' AND number > 2;
      COMMIT\`);
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawn(...bare(process.execPath, ['--input-type=module', '-e', script]), { stdio: 'inherit' });
  const [, signal] = await once(child, 'exit');
  if (signal !== 'SIGKILL') throw new Error('it did not get to its end');
}

t.test('a data folder of the version before goes on as if nothing had changed', async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a', 'b');
  for (const name of ['main', 'media']) await makeOlder(join(place.dataDir, `${name}.db`));
  rmSync(join(place.dataDir, 'run', 'history.json'));
  const mainPath = join(place.dataDir, 'main.db');
  t.strictSame(readHistory(mainPath).sessions, [{ session: 'older-1', firstOrdinal: 1 }]);
  await session(t, place, 'c');
  t.strictSame(told(place.dataDir), []);
  t.strictSame(notesIn(mainPath), ['a', 'b', 'c']);
  t.strictSame(
    readHistory(mainPath).sessions.map(({ firstOrdinal }) => firstOrdinal),
    [1, 4],
    'its commits, and from the migration on those of this one',
  );
  t.equal(readdirSync(join(place.folder, 'replica', 'main', 'generations')).length, 1, 'one generation');
});

t.test('after a kill it goes on at once, and nothing is told', async (t) => {
  const place = placeOf(t);
  const first = await start(t, place.env, place.dataDir);
  await write(first, 'a', 'b');
  first.kill('SIGKILL');
  await first.ended();
  const next = await start(t, place.env, place.dataDir);
  t.notOk('history' in (await degraded(next)));
  await write(next, 'c');
  await next.stop();
  t.strictSame(told(place.dataDir), []);
  t.equal(readdirSync(join(place.folder, 'replica', 'main', 'generations')).length, 1, 'one generation');
});

t.test('a folder put back to before bytes that hold no commit begins a new generation', async (t) => {
  const { folder, dataDir, env } = placeOf(t);
  const first = await start(t, env, dataDir);
  await write(first, 'a');
  spawnSync('cp', ['-a', dataDir, join(folder, 'earlier')]);
  const generations = join(folder, 'replica', 'main', 'generations');
  /** Of which WAL, and from where in it. */
  const newestSegment = (): number[] => {
    const names = readdirSync(generations, { recursive: true, encoding: 'utf8' });
    const places = names.flatMap((name) => {
      const [, ...digits] = /(\w{8})_(\w{8})\.wal/.exec(name) ?? [];
      return digits.length === 0 ? [] : [digits];
    });
    return (places.sort().at(-1) ?? []).map((digits) => Number.parseInt(digits, 16));
  };
  const [copiedIndex = 0] = newestSegment();
  const copiedBytes = statSync(join(folder, 'earlier', 'main.db-wal')).size;
  const db = new Sqlite(join(dataDir, 'main.db'));
  db.exec('PRAGMA wal_autocheckpoint = 0');
  await until(() => {
    db.exec('UPDATE writer_heartbeat SET at_ms = at_ms + 1');
    const [index = 0, offsetBytes = 0] = newestSegment();
    return index > copiedIndex || offsetBytes >= copiedBytes;
  }, 'bytes from after the copy are uploaded');
  db.close();
  first.kill('SIGKILL');
  await first.ended();
  rmSync(dataDir, { recursive: true });
  renameSync(join(folder, 'earlier'), dataDir);
  const next = await start(t, env, dataDir);
  await write(next, 'd');
  like(t, told(dataDir), [/and begins a new one\.$/]);
  next.kill('SIGKILL');
  await next.ended();
  rmSync(dataDir, { recursive: true });
  mkdirSync(dataDir);
  await start(t, env, dataDir);
  t.strictSame(notesIn(join(dataDir, 'main.db')), ['a', 'd']);
});

t.test('a folder of earlier that is put back gets what the replica has beyond it', async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a');
  const earlier = join(place.folder, 'earlier');
  cpSync(place.dataDir, earlier, { recursive: true });
  await session(t, place, 'b', 'c');
  rmSync(place.dataDir, { recursive: true });
  renameSync(earlier, place.dataDir);
  const system = await start(t, place.env, place.dataDir);
  t.strictSame(notesIn(join(place.dataDir, 'main.db')), ['a', 'b', 'c']);
  t.equal(told(place.dataDir).length, 1);
  await write(system, 'd');
  await system.stop();
  const next = await start(t, place.env, place.dataDir);
  t.equal(told(place.dataDir).length, 1, 'the next start finds nothing more');
  t.ok('history' in (await degraded(next)), 'and nothing has proven it yet');
});
