import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import { command } from '../commands/command.ts';
import { start, temporaryFolder } from '../support/system.ts';
import { write } from './data-folder-fixture.ts';

/** @returns the ids of the notes in a database file */
function notesIn(path: string): unknown[] {
  const db = openReader(path);
  try {
    return db.prepare('SELECT id FROM notes ORDER BY id').pluck().all();
  } finally {
    db.close();
  }
}

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

t.test('no command makes a system where there is none', async (t) => {
  const DATA_DIR = temporaryFolder(t);
  const { code, stderr } = await command(['verify'], { DATA_DIR });
  t.equal(code, 75);
  t.ok(stderr.startsWith(`ninelives: There is no database in ${DATA_DIR}.`), stderr);
  t.same(readdirSync(DATA_DIR), []);
});
