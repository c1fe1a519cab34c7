import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { nextSecond } from '../support/next-second.ts';
import { notesIn } from '../support/notes.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { noTerminal, openTerminal } from '../support/terminal.ts';
import { command, ENTRY } from './command.ts';
import { write } from './restore-fixture.ts';

t.test('a wrong time and a missing choice are told with how it is right', async (t) => {
  const env = { DATA_DIR: temporaryFolder(t) };
  const without = await command(['restore'], env);
  like(t, without, { code: 64, stderr: /Expected one of --to, --in-place and --list/ });
  const wrong = await command(['restore', '--to', 'x', '--at', 'yesterday'], env);
  like(t, wrong, { code: 64, stderr: /expected a time of the calendar with its zone/ });
});

t.test('in place', async (t) => {
  const system = await start(t);
  const env = { DATA_DIR: system.dataDir };
  await write(system, 'a');
  await nextSecond();
  const between = new Date().toISOString();
  await nextSecond();
  await write(system, 'b');
  await t.test('never under a running system', async (t) => {
    like(t, await command(['restore', '--in-place'], env), {
      code: 73,
      stderr: /in use by process \d+.*start/,
    });
  });
  await system.stop();
  await t.test('at a terminal it says what follows, and asks for --yes', { skip: noTerminal }, async (t) => {
    const line = [process.execPath, ENTRY, 'restore', '--in-place', '--at', between, ...APP_ARGUMENTS];
    const options = { cwd: system.dataDir, env: { ...cleanEnv(), LITESTREAM_BIN: '', ...env } };
    const refused = openTerminal(t, line, options);
    await refused.shows(/Going back to .*notes: nothing that left the system.*repeat this with --yes/s);
    t.equal(await refused.ended, 64);
    t.notOk(existsSync(join(system.dataDir, 'replaced')));
  });
  await t.test('the state of a time replaces what is there, and that is kept', async (t) => {
    const { code, stdout, stderr } = await command(['restore', '--in-place', '--at', between], env);
    t.equal(code, 0, stderr);
    const movedTo = /what was there before is in (\S+)/.exec(stdout)?.[1] ?? '';
    t.equal(dirname(movedTo), join(system.dataDir, 'replaced'));
    const files = ['main', 'media'].flatMap((name) =>
      ['', '-shm', '-wal'].map((suffix) => `${name}.db${suffix}`),
    );
    // Of media nothing was given up.
    const others = ['.main.db-litestream', '.media.db-litestream', 'media.contained'];
    t.strictSame(readdirSync(movedTo).sort(), [...others, ...files].sort());
    t.same(notesIn(join(movedTo, 'main.db')), ['a', 'b'], 'with its WAL');
    t.same(notesIn(join(system.dataDir, 'main.db')), ['a']);
  });
  await t.test('the next start goes on from there', async (t) => {
    const next = await start(t, {}, system.dataDir);
    t.equal((await request(`${next.url}/note/a`)).status, 200);
    t.equal((await request(`${next.url}/note/b`)).status, 404);
    await write(next, 'c');
    await next.stop();
  });
  await t.test('a replica that cannot be restored leaves everything as it was', async (t) => {
    const names = () => readdirSync(system.dataDir).sort();
    const before = names();
    const wrong = await command(['restore', '--in-place', '--at', '2020-01-01T00:00:00Z'], env);
    t.equal(wrong.code, 81);
    const broken = await command(['restore', '--in-place'], { ...env, REPLICA_URL: 'file:/nowhere/at/all' });
    t.equal(broken.code, 75);
    t.same(names(), before);
  });
  await t.test('a machine that has nothing gets everything', async (t) => {
    const dataDir = temporaryFolder(t);
    const replica = `file:${join(system.dataDir, 'replica')}`;
    const { code, stdout } = await command(['restore', '--in-place'], {
      DATA_DIR: dataDir,
      REPLICA_URL: replica,
    });
    t.equal(code, 0);
    t.notMatch(stdout, /what was there before/);
    t.same(notesIn(join(dataDir, 'main.db')), ['a', 'c']);
  });
});
