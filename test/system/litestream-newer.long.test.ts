import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findLitestream } from '../../src/replication/binary.ts';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { command } from '../cli/command.ts';
import { noteOf, request } from '../support/http.ts';
import { nextSecond } from '../support/next-second.ts';
import { notesIn } from '../support/notes.ts';
import { startS3 } from '../support/s3.ts';
import { launch, type RunningSystem, start, temporaryFolder } from '../support/system.ts';
import { told } from '../support/told.ts';

const { LITESTREAM_05_BIN = '' } = process.env;
const newer = await findLitestream({ litestreamBin: LITESTREAM_05_BIN }).catch(() => undefined);
const skip = newer?.format === 'ltx' ? false : 'there is no Litestream 0.5.17 or later in LITESTREAM_05_BIN';

/** A data folder whose replica is beside it. */
interface Place {
  readonly folder: string;
  readonly dataDir: string;
  readonly mainPath: string;
  readonly env: NodeJS.ProcessEnv;
}

function placeOf(t: Test): Place {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const env = { REPLICA_URL: `file:${join(folder, 'replica')}`, LITESTREAM_BIN: LITESTREAM_05_BIN };
  return { folder, dataDir, mainPath: join(dataDir, 'main.db'), env };
}

/** A data folder whose replica is elsewhere, or beside it. */
async function placeWith(t: Test, kind: string): Promise<Place> {
  const place = placeOf(t);
  if (kind === 'a folder') return place;
  const store = s3Environment(await startS3(t), 'newer');
  return { ...place, env: { ...place.env, ...store } };
}

async function write(system: RunningSystem, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const answer = await request(`${system.url}/note`, {
      method: 'POST',
      body: noteOf(id),
      headers: { Durability: 'replicated' },
    });
    if (answer.status !== 201) throw new Error(answer.text);
  }
}

/** Starts one, writes to it and stops it. */
async function session(t: Test, { dataDir, env }: Place, ...ids: readonly string[]): Promise<void> {
  const system = await start(t, env, dataDir);
  await write(system, ...ids);
  await system.stop();
}

/** @returns what a start is refused with */
async function refused(t: Test, { dataDir, env }: Place, code: number): Promise<string> {
  const system = launch(t, env, dataDir);
  system.ready().then(
    () => system.kill('SIGTERM'),
    () => {},
  );
  t.equal((await system.ended()).code, code, system.stderr);
  return system.stderr;
}

t.test('what fits stays, and nothing is said or restored', { skip }, async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a');
  await session(t, place, 'b');
  const system = await start(t, place.env, place.dataDir);
  t.strictSame(notesIn(place.mainPath), ['a', 'b']);
  t.notOk(
    system.lines.some(({ msg }) => msg.startsWith('comparing')),
    'names suffice',
  );
  await write(system, 'c');
  await system.destroy();
  await session(t, place, 'd');
  t.strictSame(told(place.dataDir), [], 'nor after a kill');
  t.strictSame(notesIn(place.mainPath), ['a', 'b', 'c', 'd']);
});

for (const kind of ['a folder', 'a bucket']) {
  t.test(`a WAL that is lost comes back from ${kind}`, { skip }, async (t) => {
    const place = await placeWith(t, kind);
    await session(t, place, 'a', 'b');
    rmSync(join(place.dataDir, 'main.db-wal'));
    const system = await start(t, place.env, place.dataDir);
    t.strictSame(notesIn(place.mainPath), ['a', 'b']);
    const [text = '', ...more] = told(place.dataDir);
    t.match(text, /main ends with .* contains it and has commits .*What was there is in .*replaced/);
    t.strictSame(more, []);
    await write(system, 'c');
    await system.stop();
  });

  t.test(`an old folder that is put back gets what ${kind} has beyond it`, { skip }, async (t) => {
    const place = await placeWith(t, kind);
    await session(t, place, 'a');
    const earlier = join(place.folder, 'earlier');
    cpSync(place.dataDir, earlier, { recursive: true });
    await session(t, place, 'b');
    await session(t, place, 'c');
    rmSync(place.dataDir, { recursive: true });
    renameSync(earlier, place.dataDir);
    const system = await start(t, place.env, place.dataDir);
    t.strictSame(notesIn(place.mainPath), ['a', 'b', 'c']);
    t.equal(told(place.dataDir).length, 1);
    await write(system, 'd');
    await system.stop();
    await session(t, place, 'e');
    t.equal(told(place.dataDir).length, 1, 'the next start finds nothing more');
    t.strictSame(notesIn(place.mainPath), ['a', 'b', 'c', 'd', 'e']);
  });
}

t.test('two copies that have gone on apart are not mixed', { skip }, async (t) => {
  const place = placeOf(t);
  await session(t, place, 'a');
  const copy = placeOf(t);
  cpSync(place.dataDir, copy.dataDir, { recursive: true });
  await session(t, place, 'b');
  // Not seen by the other one, it goes on with a replica of its own.
  await session(t, copy, 'c', 'd');
  const forked = { ...copy, env: place.env };
  const replica = () => readdirSync(join(place.folder, 'replica'), { recursive: true }).sort();
  const before = replica();
  t.match(await refused(t, forked, 65), /have gone on apart after commit \d+: commits \d+ to .* only here/);
  t.strictSame(replica(), before, 'nothing was added to the replica');
  t.strictSame(notesIn(copy.mainPath), ['a', 'c', 'd']);
});

t.test('a second owner is refused', { skip }, async (t) => {
  const place = placeOf(t);
  const first = await start(t, place.env, place.dataDir);
  const text = await refused(t, { ...placeOf(t), env: place.env }, 73);
  t.ok(text.includes(`(process ${first.pid})`), text);
  await write(first, 'a');
});

t.test('a new VM gets everything, also what was confirmed just before a kill', { skip }, async (t) => {
  const place = placeOf(t);
  const system = await start(t, place.env, place.dataDir);
  await write(system, 'a', 'b');
  await system.destroy();
  rmSync(place.dataDir, { recursive: true });
  mkdirSync(place.dataDir);
  await session(t, place, 'c');
  await session(t, place, 'd');
  t.strictSame(notesIn(place.mainPath), ['a', 'b', 'c', 'd']);
});

for (const where of ['where it was', 'on a new VM']) {
  t.test(`what was restored to a time stays so at the next starts: ${where}`, { skip }, async (t) => {
    const place = placeOf(t);
    await session(t, place, 'a');
    await nextSecond();
    const between = new Date().toISOString();
    await nextSecond();
    await session(t, place, 'b');
    if (where === 'on a new VM') {
      rmSync(place.dataDir, { recursive: true });
      mkdirSync(place.dataDir);
    }
    const env = { ...place.env, DATA_DIR: place.dataDir };
    const ran = await command(['restore', '--in-place', '--at', between], env);
    t.equal(ran.code, 0, ran.stderr);
    for (const [index, id] of ['c', 'd', 'e'].entries()) {
      // The mark is not needed for it.
      if (index === 2) rmSync(join(place.dataDir, 'run', 'history.json'));
      const system = await start(t, place.env, place.dataDir);
      t.strictSame(notesIn(place.mainPath), ['a', 'c', 'd'].slice(0, index + 1), `start ${index + 1}`);
      await write(system, id);
      await system.stop();
    }
  });
}
