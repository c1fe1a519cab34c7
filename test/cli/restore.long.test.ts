import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { nextSecond } from '../support/next-second.ts';
import { notesIn } from '../support/notes.ts';
import { startS3, type TestStore } from '../support/s3.ts';
import { start, temporaryFolder, until } from '../support/system.ts';
import { objectPath } from '../system/lease-fixture.ts';
import { command, startCommand } from './command.ts';
import { write } from './restore-fixture.ts';

function s3Env({ bucket, endpoint, credentials }: TestStore): NodeJS.ProcessEnv {
  return { REPLICA_URL: `s3://${bucket}/some/prefix`, S3_ENDPOINT: endpoint, ...credentials };
}

const places: Record<string, (t: Test) => Promise<NodeJS.ProcessEnv>> = {
  'a folder': async () => ({}),
  'a bucket': async (t) => s3Env(await startS3(t)),
};

for (const [place, envOf] of Object.entries(places)) {
  t.test(`from ${place}, into a file, while the system runs`, async (t) => {
    const replica = await envOf(t);
    const system = await start(t, replica);
    const env = { ...replica, DATA_DIR: system.dataDir };
    const folder = temporaryFolder(t);
    for (const id of ['a', 'b']) await write(system, id);
    await nextSecond();
    const between = new Date();
    await nextSecond();
    await write(system, 'c');

    await t.test('the newest state', async (t) => {
      const file = join(folder, 'newest.db');
      const { code, stdout } = await command(['restore', '--to', file], env);
      t.equal(code, 0);
      t.match(
        stdout,
        /restored main to .*newest\.db: [\d.]+ KiB in .*quick_check ok, last commit .*Z, number 4/,
      );
      t.same(notesIn(file), ['a', 'b', 'c']);
      t.equal(statSync(file).mode & 0o077, 0, 'it is for its owner alone');
    });
    await t.test('the state between two writes', async (t) => {
      const file = join(folder, 'between.db');
      const { code, stdout, stderr } = await command(
        ['restore', '--to', file, '--at', between.toISOString(), '--json'],
        env,
      );
      t.equal(code, 0, stderr);
      const [report] = JSON.parse(stdout).restored;
      like(t, report, { database: 'main', file, lastCommit: { ordinal: 3 } });
      t.ok(Date.parse(report.lastCommit.at) <= between.getTime(), 'it tells what it has reached');
      t.same(notesIn(file), ['a', 'b']);
    });
    await t.test('another database, which is idle at that time', async (t) => {
      const file = join(folder, 'media.db');
      const { code, stderr } = await command(
        ['restore', '--to', file, '--database', 'media', '--at', between.toISOString()],
        env,
      );
      t.equal(code, 0, stderr);
    });
    await t.test('what can be restored is listed', async (t) => {
      const { code, stdout } = await command(['restore', '--list'], env);
      t.equal(code, 0);
      t.match(stdout, /^database +generation +from +to +snapshots +segments +size\n/);
      t.match(stdout, /^main +[0-9a-f]{16} +\d{4}-\S+Z +\d{4}-\S+Z +1 +\d+ +[\d.]+ KiB$/m);
      const listed = JSON.parse((await command(['restore', '--list', '--json'], env)).stdout);
      like(t, listed, [
        { database: 'main', snapshots: 1 },
        { database: 'media', snapshots: 1 },
      ]);
      t.ok(Date.parse(listed[0].from) <= between.getTime() && between.getTime() <= Date.parse(listed[0].to));
    });
    await t.test('a time outside of what can be restored is an error of its own', async (t) => {
      const file = join(folder, 'none.db');
      const early = await command(['restore', '--to', file, '--at', '2020-01-01T00:00:00Z'], env);
      like(t, early, { code: 81, stderr: /from 20\S+Z on; there is no state of 2020/ });
      const future = new Date(Date.now() + 3_600_000).toISOString();
      const late = await command(['restore', '--to', file, '--at', future], env);
      like(t, late, { code: 82, stderr: /is known up to 20\S+Z.*Without --at/ });
    });
    await t.test('nothing else is left where it restored to', async (t) => {
      t.same(
        readdirSync(folder)
          .filter((name) => !/-shm$|-wal$/.test(name))
          .sort(),
        ['between.db', 'media.db', 'newest.db'],
      );
    });
    await t.test('the running system goes on with its own settings', async () => write(system, 'd'));
  });
}

t.test('each way in which there is no replica is an error of its own, and leaves nothing', async (t) => {
  const store = await startS3(t);
  const system = await start(t, s3Env(store));
  await write(system, 'a');
  await system.stop();
  const folder = temporaryFolder(t);
  const env = { ...s3Env(store), DATA_DIR: system.dataDir };
  const to = join(folder, 'out.db');
  const run = async (more: NodeJS.ProcessEnv) => command(['restore', '--to', to], { ...env, ...more });
  const cases: Record<string, { more: NodeJS.ProcessEnv; code: number; says: RegExp }> = {
    'a prefix with nothing': {
      more: { REPLICA_URL: `s3://${store.bucket}/elsewhere` },
      code: 66,
      says: /has nothing of the database main/,
    },
    'another bucket': { more: { REPLICA_URL: 's3://not-there/p' }, code: 68, says: /NoSuchBucket/ },
    'wrong credentials': {
      more: { AWS_ACCESS_KEY_ID: 'WRONGKEYID' },
      code: 77,
      says: /InvalidAccessKeyId.*AWS_ACCESS_KEY_ID/,
    },
    'nobody there': { more: { S3_ENDPOINT: 'http://127.0.0.1:9' }, code: 75, says: /REFUSED.*S3_ENDPOINT/ },
    'half of the credentials': {
      more: { AWS_ACCESS_KEY_ID: '' },
      code: 78,
      says: /AWS_ACCESS_KEY_ID: expected a value/,
    },
    'a folder with nothing': {
      more: { REPLICA_URL: `file:${join(folder, 'r')}` },
      code: 66,
      says: /has nothing/,
    },
    'a folder that is not there': {
      more: { REPLICA_URL: `file:${join(folder, 'not', 'mounted')}` },
      code: 75,
      says: /mounted/,
    },
  };
  for (const [name, { more, code, says }] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const ran = await run(more);
      like(t, ran, { code, stderr: says });
      t.notMatch(ran.stderr, /WRONGKEYID/, 'no credential is told');
      t.same(readdirSync(folder), [], 'nothing is left');
    });
  }
  await t.test('a list says the same', async (t) => {
    t.equal((await command(['restore', '--list'], { ...env, AWS_ACCESS_KEY_ID: 'WRONG' })).code, 77);
    t.equal(
      (await command(['restore', '--list'], { ...env, REPLICA_URL: `s3://${store.bucket}/x` })).code,
      66,
    );
  });
});

t.test('a half-deleted replica is told from an empty one', async (t) => {
  const system = await start(t);
  await write(system, 'a');
  await system.stop();
  const folder = temporaryFolder(t);
  const generations = join(system.dataDir, 'replica', 'main', 'generations');
  const [generation = ''] = readdirSync(generations);
  const wal = join(generations, generation, 'wal');
  const [first = ''] = readdirSync(wal).sort();
  const to = join(folder, 'out.db');
  const run = async () => command(['restore', '--to', to], { DATA_DIR: system.dataDir });
  rmSync(join(wal, first));
  like(
    t,
    await run(),
    {
      code: 76,
      stdout: /^restored main /,
      stderr: /the segment 00000000_00000000 is missing; nothing after/,
    },
    'the first segment is gone',
  );
  rmSync(to);
  rmSync(join(generations, generation, 'snapshots'), { recursive: true });
  like(t, await run(), { code: 76, stderr: /no snapshot that can be restored/ }, 'the snapshot is gone');
  const listed = await command(['restore', '--list'], { DATA_DIR: system.dataDir });
  like(t, listed, { code: 0, stdout: new RegExp(`${generation} +nothing +restorable`) });
  t.same(readdirSync(folder), [], 'nothing is left');
});

t.test('in place it keeps what only the WAL has, in the newest state alone', async (t) => {
  const settings = { REPLICA_STALL_TIMEOUT_MS: '60000', REPLICA_STOP_TIMEOUT_MS: '100' };
  const system = await start(t, settings);
  const env = { DATA_DIR: system.dataDir };
  await write(system, 'a');
  process.kill(system.pidOf('litestream'), 'SIGSTOP');
  for (const id of ['b', 'c']) {
    const { status } = await request(`${system.url}/note`, { method: 'POST', body: noteOf(id) });
    t.equal(status, 201);
  }
  await system.stop();
  const mainPath = join(system.dataDir, 'main.db');
  writeFileSync(mainPath, Buffer.alloc(statSync(mainPath).size, 0xa5));
  const ran = await command(['restore', '--in-place'], env);
  like(t, ran, {
    code: 0,
    stdout:
      /\nnote: 2 of its commits were not in the replica and came from the WAL of what was there before\n/,
  });
  t.same(notesIn(mainPath), ['a', 'b', 'c']);
});

t.test('killed half-way, it leaves nothing under the asked-for name', async (t) => {
  const system = await start(t);
  await write(system, 'a');
  await system.stop();
  const folder = temporaryFolder(t);
  const to = join(folder, 'out.db');
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const { process: restoring, ended } = startCommand(['restore', '--to', to], {
      DATA_DIR: system.dataDir,
      // What a killed one leaves goes with the test.
      TMPDIR: system.dataDir,
    });
    // Its folder shows that it has begun.
    await until(() => readdirSync(folder).length > 0, 'it has begun');
    restoring.kill(signal);
    const { code } = await ended;
    t.not(code, 0);
    t.notOk(existsSync(to));
    if (signal === 'SIGTERM') t.same(readdirSync(folder), [], 'and tidies up when it can');
    for (const name of readdirSync(folder)) {
      t.match(name, /^\.out\.db\.restoring-\d+$/, 'what is left says what it is');
      rmSync(join(folder, name), { recursive: true });
    }
  }
  t.equal(
    (await command(['restore', '--to', to], { DATA_DIR: system.dataDir })).code,
    0,
    'the next one works',
  );
});

t.test('a time after the last commit counts as far as the owner of the replica knows of none', async (t) => {
  const store = await startS3(t);
  const replica = s3Env(store);
  const system = await start(t, replica);
  const env = { ...replica, DATA_DIR: temporaryFolder(t) };
  await write(system, 'a');
  const writtenMs = Date.now();
  const recordPath = objectPath(store, 'some/prefix/lease.json');
  const completeMs = (): number => JSON.parse(readFileSync(recordPath, 'utf8')).completeUntilMs?.main ?? 0;
  await until(() => completeMs() > writtenMs + 5000, 'the owner has recorded that it is idle', 40_000);
  const folder = temporaryFolder(t);
  const at = async (atMs: number, name: string) => {
    const file = join(folder, name);
    const args = ['restore', '--to', file, '--at', new Date(atMs).toISOString()];
    return { file, ...(await command(args, env)) };
  };
  const idleMs = completeMs();
  const idle = await at(idleMs, 'idle.db');
  t.equal(idle.code, 0, idle.stderr);
  t.same(notesIn(idle.file), ['a']);
  const iso = new Date(idleMs).toISOString();
  t.ok(
    idle.stdout.includes(`note: the record of its owner knows of no commit from then to ${iso}`),
    idle.stdout,
  );
  like(t, await at(Date.now() + 60_000, 'later.db'), { code: 82, stderr: /is known up to 20/ });
  // What is in the replica only later is not recorded either.
  system.kill('SIGKILL');
  await system.ended();
  const wals = readdirSync(store.directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /main\/generations\/\w+\/wal\/.*object$/.test(name),
  );
  const [last, ...before] = wals.sort().reverse();
  t.ok(last);
  const isTold = async (name: string) => {
    const lost = await at(idleMs, name);
    like(t, lost, { code: 76, stderr: /names commits \d+ to \d+ of session .* as replicated/ });
    t.notMatch(lost.stdout, /knows of no commit/);
  };
  rmSync(join(store.directory, last!));
  await isTold('lost.db');
  // Its snapshot alone may be from before its tables, and does not count commits then.
  for (const wal of before) rmSync(join(store.directory, wal));
  await isTold('snapshot.db');
});

t.test('after a stop nothing was committed, until somebody takes the replica', async (t) => {
  const store = await startS3(t);
  const replica = s3Env(store);
  const system = await start(t, replica);
  await write(system, 'a');
  const answer = await request(`${system.url}/note`, { method: 'POST', body: noteOf('b') });
  t.equal(answer.status, 201, 'at once before it is stopped');
  t.equal((await system.stop()).code, 0);
  for (let second = 0; second < 3; second += 1) await nextSecond();
  const folder = temporaryFolder(t);
  const at = async (name: string) => {
    const file = join(folder, name);
    const args = ['restore', '--to', file, '--at', new Date(Date.now() - 1).toISOString()];
    return { file, ...(await command(args, { ...replica, DATA_DIR: temporaryFolder(t) })) };
  };
  const stopped = await at('stopped.db');
  t.equal(stopped.code, 0, stopped.stderr);
  t.same(notesIn(stopped.file), ['a', 'b']);
  t.match(stopped.stdout, /the record of its owner, which was stopped, knows of no commit from then to/);
  const next = await start(t, replica);
  next.kill('SIGKILL');
  await next.ended();
  for (let second = 0; second < 3; second += 1) await nextSecond();
  like(t, await at('taken.db'), { code: 82, stderr: /is known up to 20/ });
});

t.test('beside the data folder its database tells how long nothing was committed', async (t) => {
  const system = await start(t, { REPLICA_STALL_TIMEOUT_MS: '60000' });
  const env = { DATA_DIR: system.dataDir };
  await write(system, 'a');
  await nextSecond();
  await nextSecond();
  const folder = temporaryFolder(t);
  const at = (name: string) =>
    command(['restore', '--to', join(folder, name), '--at', new Date(Date.now() - 1).toISOString()], env);
  const idle = await at('idle.db');
  t.equal(idle.code, 0, idle.stderr);
  t.match(idle.stdout, /the database in the data folder knows of no commit from then to/);
  // A commit that the replica lacks is not left out in silence.
  const litestream = system.pidOf('litestream');
  process.kill(litestream, 'SIGSTOP');
  const answer = await request(`${system.url}/note`, { method: 'POST', body: noteOf('b') });
  t.equal(answer.status, 201);
  await nextSecond();
  like(t, await at('behind.db'), { code: 82, stderr: /is known up to 20/ });
  process.kill(litestream, 'SIGCONT');
});

t.test('each wrong use is told with how it is right', async (t) => {
  const env = { DATA_DIR: temporaryFolder(t) };
  const wrong: [readonly string[], RegExp][] = [
    [['--to', 'x', '--list'], /Expected one of/],
    [['--to', 'x', '--at', '2030-01-31T12:00:00'], /expected a time of the calendar with its zone/],
    [['--to', 'x', '--at', '2026-02-30T12:00:00Z'], /expected a time of the calendar with its zone/],
    [['--in-place', '--at', '2026-01-31T24:00:00Z'], /expected a time of the calendar with its zone/],
    [['--to', 'a?b.db'], /Litestream reads no path behind a \?/],
    [['--frm', 'x'], /--frm/],
  ];
  for (const [args, says] of wrong)
    like(t, await command(['restore', ...args], env), { code: 64, stderr: says }, args.join(' '));
});

t.test('an existing file is never overwritten', async (t) => {
  const system = await start(t);
  const folder = temporaryFolder(t);
  for (const name of ['out.db', 'other.db-wal']) {
    const path = join(folder, name);
    writeFileSync(path, 'precious');
    const to = path.replace('-wal', '');
    const ran = await command(['restore', '--to', to], { DATA_DIR: system.dataDir });
    like(t, ran, { code: 73, stderr: /exists/ });
    t.equal(readFileSync(path, 'utf8'), 'precious');
  }
  const link = join(folder, 'link.db');
  symlinkSync(join(folder, 'not-mounted', 'file.db'), link);
  const ran = await command(['restore', '--to', link], { DATA_DIR: system.dataDir });
  like(t, ran, { code: 73, stderr: /exists/ });
  t.ok(lstatSync(link).isSymbolicLink());
});

t.test('wrong use is told with how it is right', async (t) => {
  const env = { DATA_DIR: temporaryFolder(t) };
  const wrong: [readonly string[], RegExp][] = [
    [[], /Expected one of --to, --in-place and --list/],
    [['--in-place', '--database', 'main'], /--in-place replaces all databases/],
    [['--to', 'x', '--at', 'yesterday'], /expected a time of the calendar with its zone/],
    [['--to', 'x', '--database', 'other'], /There is no database other; there is main, media/],
    [['--to', '/no/such/folder/x'], /there is no folder/],
    [['--to', '/proc/x.db'], /--to \/proc\/x\.db: no file can be made there: ENOENT/],
    [['--to', 'x'.repeat(245)], /no file can be made there: .*name too long/i],
    [['--to', 'x'.repeat(300)], /no file can be made there: ENAMETOOLONG/],
  ];
  for (const [args, says] of wrong) {
    like(t, await command(['restore', ...args], env), { code: 64, stderr: says }, args.join(' '));
  }
  like(t, await command(['restore', '--help'], env), { code: 0, stdout: /Usage: ninelives restore/ });
  like(t, await command(['verify', '--help'], env), { code: 0, stdout: /Usage: ninelives verify/ });
});
