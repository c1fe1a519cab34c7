import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openReader } from '../../src/sqlite/open.ts';
import { command } from '../commands/command.ts';
import { alertOf, request } from '../support/http.ts';
import { start, temporaryFolder } from '../support/system.ts';

const REPLICATED = { Durability: 'replicated' };

/** @returns the ids of the alerts in a database file */
function alertsIn(path: string): unknown[] {
  const db = openReader(path);
  try {
    return db.prepare('SELECT movie_id FROM alerts ORDER BY movie_id').pluck().all();
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
  const body = alertOf('a');
  const { status } = await request(`${system.url}/alert`, { method: 'POST', body, headers: REPLICATED });
  t.equal(status, 201, 'the replica has it');
  const verified = await command(['verify'], { ...env, DATA_DIR: dataDir });
  t.equal(verified.code, 0, verified.stdout + verified.stderr);
  await system.stop();
  const to = join(dataDir, '..', 'b #%3f%00:;&=~$HOME\n\t\'"<é🎬>.db');
  const restored = await command(['restore', '--to', to], { ...env, DATA_DIR: dataDir });
  t.equal(restored.code, 0, restored.stderr);
  t.same(alertsIn(to), ['a']);
});
