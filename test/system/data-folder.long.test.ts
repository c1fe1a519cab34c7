import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { command, ENTRY } from '../cli/command.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { notesIn } from '../support/notes.ts';
import { requestAt } from '../support/request-at.ts';
import { start, temporaryFolder, until } from '../support/system.ts';
import { write } from './data-folder-fixture.ts';

const NOBODY = 65_534;

t.test('a link to the data folder is one more name of it, and one to a database is refused', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'disk'));
  symlinkSync(join(folder, 'disk'), join(folder, 'link'));
  const DATA_DIR = join(folder, 'link', 'data');
  const system = await start(t, {}, DATA_DIR, { cwd: folder });
  t.equal(await write(system, 'a'), 201);
  await system.stop();
  const again = await start(t, {}, join(folder, 'disk', 'data'));
  t.equal(await write(again, 'b'), 201);
  t.notMatch(JSON.stringify(again.lines), /another replica/);
  await again.stop();

  const dataDir = join(folder, 'disk', 'data');
  const kept = join(folder, 'kept');
  for (const name of ['main.db', 'media.db-wal']) {
    renameSync(join(dataDir, name), kept);
    // To something, and to nothing.
    for (const target of [kept, join(folder, 'nothing')]) {
      symlinkSync(target, join(dataDir, name));
      for (const words of target === kept ? ['start', 'restore --in-place'] : ['start']) {
        const { code, stderr } = await command(words.split(' '), { DATA_DIR: dataDir });
        t.equal(code, 78, `${words}: ${stderr}`);
        t.ok(stderr.startsWith(`ninelives: ${join(dataDir, name)} is a symbolic link`), stderr);
      }
      rmSync(join(dataDir, name));
    }
    renameSync(kept, join(dataDir, name));
  }
  const third = await start(t, {}, dataDir);
  t.equal(await write(third, 'c'), 201, 'nothing of that has done any harm');
});

t.test(
  "what root does to a data folder stays its owner's",
  { skip: process.getuid?.() === 0 ? false : 'needs to be root' },
  async (t) => {
    const dataDir = temporaryFolder(t);
    chownSync(dataDir, NOBODY, NOBODY);
    const system = await start(t, {}, dataDir, { uid: NOBODY });
    t.equal(await write(system, 'a'), 201);
    await system.stop();
    for (const words of [
      'restore --in-place',
      'keys create --name a --scope admin',
      'verify',
      'doctor',
      'events',
    ]) {
      // tap's own hook would write where this user cannot.
      const own = ['-u', 'NODE_OPTIONS', process.execPath, ENTRY, ...words.split(' '), ...APP_ARGUMENTS];
      const env = { ...cleanEnv(), DATA_DIR: dataDir };
      const { status, stderr } = spawnSync('env', own, { cwd: '/', env, encoding: 'utf8' });
      t.equal(status, 0, `${words}: ${stderr}`);
    }
    t.equal(execFileSync('find', [dataDir, '!', '-uid', String(NOBODY)], { encoding: 'utf8' }), '');
    // What is no database of the system's keeps nobody from a start.
    const copied = await command(['restore', '--to', join(dataDir, 'copy.db')], { DATA_DIR: dataDir });
    t.equal(copied.code, 0, copied.stderr);
    symlinkSync(join(dataDir, 'copy.db'), join(dataDir, 'link.db'));
    await start(t, {}, dataDir, { uid: NOBODY });
  },
);

t.test('a data folder of any name is served, replicated, proven and restored', async (t) => {
  const dataDir = join(temporaryFolder(t), 'a #%3f%00:;&=~$HOME\n\t\'"<é🎬>');
  mkdirSync(dataDir);
  // Credentials that occur in what Litestream logs.
  const env = { AWS_ACCESS_KEY_ID: 'main', AWS_SECRET_ACCESS_KEY: 'wal' };
  const system = await start(t, env, dataDir);
  t.equal(await write(system, 'a'), 201, 'the replica has it');
  const verified = await command(['verify'], { ...env, DATA_DIR: dataDir });
  t.equal(verified.code, 0, verified.stdout + verified.stderr);
  await system.stop();
  const to = join(dataDir, '..', 'b #%3f%00:;&=~$HOME\n\t\'"<é🎬>.db');
  const restored = await command(['restore', '--to', to], { ...env, DATA_DIR: dataDir });
  t.equal(restored.code, 0, restored.stderr);
  t.same(notesIn(to), ['a']);
});

t.test('a path that would be taken for another one is refused', async (t) => {
  const folder = temporaryFolder(t);
  for (const [name, says] of [
    ['a?b', /DATA_DIR: expected a path in UTF-8 and without \?/],
    ['a\\b', /DATA_DIR: expected a path without \\, from which Node\.js loads no code/],
    ['a\ufffdb', /DATA_DIR: expected a path in UTF-8/],
  ] as const) {
    const env = { DATA_DIR: join(folder, name) };
    for (const words of ['start', 'restore --list']) {
      const { code, stderr } = await command(words.split(' '), env, folder);
      t.equal(code, 78, `${words}: ${stderr}`);
      t.ok(says.test(stderr), stderr);
    }
  }
});

t.test('sockets that somebody removes while it runs are made again', async (t) => {
  const system = await start(t, { WORKERS: '1', SPARE_WORKERS: '0' });
  const run = join(system.dataDir, 'run');
  const sockets = ['control.sock', 'writer.sock', 'ops.sock'].map((name) => join(run, name));
  for (const path of sockets) rmSync(path);
  const isClosed = (path: string) =>
    ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777) === 0o600;
  await until(() => sockets.every(isClosed), 'they are there again, for their owner alone');
  t.equal((await requestAt(join(run, 'ops.sock'), '/ready')).status, 200, 'the operator is answered');
  // It connects anew.
  await system.killChild('worker-1');
  t.equal(await write(system, 'socket'), 201);
  t.equal((await command(['status'], { DATA_DIR: system.dataDir })).code, 0);
});
