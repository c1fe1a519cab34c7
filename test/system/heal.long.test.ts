import { closeSync, existsSync, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { command } from '../cli/command.ts';
import { noteOf, request } from '../support/http.ts';
import { launch, processesOf, type RunningSystem, startPair, until } from '../support/system.ts';
import { damage, systemWithNotes } from './heal-fixture.ts';

/** Overwrites the WAL, and leaves what stands in it nowhere. */
function damageWal(dataDir: string): void {
  const path = join(dataDir, 'main.db-wal');
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(statSync(path).size, 0xa5), 0, statSync(path).size, 0);
  closeSync(file);
}

t.test('with HEAL=manual it stops instead, changes nothing and says what to do', async (t) => {
  const system = await systemWithNotes(t, { HEAL: 'manual' });
  damage(system.dataDir);
  await request(`${system.url}/note?limit=100`);
  t.equal((await system.ended()).code, 65);
  t.match(system.stderr, /damaged.*HEAL=manual.*start once with HEAL=auto.*restore -- --in-place/);
  t.notOk(readdirSync(system.dataDir).includes('damaged'));
});

const STALLED = { REPLICA_STALL_TIMEOUT_MS: '60000', REPLICA_STOP_TIMEOUT_MS: '100' };

/** Has Litestream upload nothing more, without that its loss is noticed. @returns how to ask for the last commit's number */
async function stallLitestream(system: RunningSystem): Promise<() => Promise<number>> {
  const lastCommit = async () => {
    const { json } = await request(`${system.url}/ready?verbose`);
    // Nothing before the writer's first report.
    return json.replication.databases.main?.lastCommit.ordinal ?? 0;
  };
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  await until(async () => (await lastCommit()) > 0, 'the writer has told');
  return lastCommit;
}

async function add(t: Test, system: RunningSystem, ids: readonly string[]): Promise<void> {
  for (const id of ids)
    t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf(id) })).status, 201);
}

async function isThere(system: RunningSystem, id: string): Promise<boolean> {
  return (await request(`${system.url}/note/${id}`)).status === 200;
}

t.test('what the replica lacks and the WAL holds comes back: 100 of 100 commits', async (t) => {
  const system = await systemWithNotes(t, STALLED);
  await stallLitestream(system);
  const ids = Array.from({ length: 100 }, (_, index) => `kept-${index}`);
  await add(t, system, ids);
  damage(system.dataDir);
  await request(`${system.url}/note?limit=100`);
  const { loss } = await system.waitFor((line) => line.database === 'main' && line.outcome === 'restored');
  await system.waitFor(({ msg }) => msg.startsWith('healed'));
  t.match(
    loss,
    /^it ends with commit (\d+) of \S+; \d+ to \1 were not in the replica and came from the WAL; there was no newer one, nothing is lost$/,
  );
  const found = await Promise.all(ids.map((id) => isThere(system, id)));
  t.equal(found.filter(Boolean).length, ids.length);
  const { degraded } = (await request(`${system.url}/ready?verbose`)).json;
  t.notOk(
    degraded.some(({ name }: { name: string }) => name === 'history'),
    'and there is nothing to tell',
  );
});

t.test('healing says exactly which commits are lost, where the WAL is damaged too', async (t) => {
  const system = await systemWithNotes(t, STALLED);
  const lastCommit = await stallLitestream(system);
  await add(t, system, ['lost-1', 'lost-2', 'lost-3']);
  damage(system.dataDir);
  damageWal(system.dataDir);
  await request(`${system.url}/note?limit=100`);
  const { loss } = await system.waitFor((line) => line.database === 'main' && line.outcome === 'restored');
  const told =
    /^it ends with commit (\d+) of \S+; 3 newer commits were not in the replica and are lost: (\d+) to (\d+), of 2/.exec(
      String(loss),
    );
  t.ok(told, String(loss));
  const [held, from, to] = (told ?? []).slice(1).map(Number);
  t.same([from, to], [held! + 1, held! + 3]);
  await system.waitFor(({ msg }) => msg.startsWith('healed'));
  const { degraded } = (await request(`${system.url}/ready?verbose`)).json;
  const { reason } = degraded.find(({ name }: { name: string }) => name === 'history');
  t.match(
    reason,
    new RegExp(
      `^\\S+damaged/main-\\S+ \\(\\d+\\.\\d MB\\) keeps what there is of commits ${from} to ${to} of main, which the database goes on without\\. Nothing removes it by itself\\.$`,
    ),
  );
  const rewind = new RegExp(`has gone back from commit ${to} of \\S+ to commit ${held} of `);
  t.match((await command(['events'], { DATA_DIR: system.dataDir })).stdout, rewind, 'the features were told');
  // The features have been told in a commit.
  await until(async () => (await lastCommit()) === held! + 1, 'the new writer goes on from there');
});

t.test('more than HEAL_MAX_LOST_COMMITS are not given up by itself, at no start', async (t) => {
  const env = { ...STALLED, HEAL_MAX_LOST_COMMITS: '2' };
  const system = await systemWithNotes(t, env);
  await stallLitestream(system);
  await add(t, system, ['lost-1', 'lost-2', 'lost-3']);
  damage(system.dataDir);
  damageWal(system.dataDir);
  await request(`${system.url}/note?limit=100`);
  t.equal((await system.ended()).code, 65);
  const choice =
    /lacks more than HEAL_MAX_LOST_COMMITS=2: .*3 newer commits.*Nothing was changed.*start once with HEAL_MAX_LOST_COMMITS=3;.*restore -- --in-place --at/;
  t.match(system.stderr, choice);
  const next = launch(t, env, system.dataDir);
  t.equal((await next.ended()).code, 65);
  t.match(next.stderr, choice);
  t.notOk(existsSync(join(system.dataDir, 'damaged')));
  const last = await startPair(t, { ...env, HEAL_MAX_LOST_COMMITS: '3' }, system.dataDir);
  t.equal(await isThere(last, '1'), true);
});

t.test('a stop in the middle of healing ends everything, and brings nothing up any more', async (t) => {
  const system = await systemWithNotes(t, {});
  damage(system.dataDir);
  await request(`${system.url}/note?limit=100`);
  await system.waitFor(({ msg }) => msg.startsWith('A database is damaged'));
  t.equal((await system.stop()).code, 0);
  t.same(processesOf(system.dataDir), []);
});
