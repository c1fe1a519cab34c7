import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { migrate } from '../../src/sqlite/migrations.ts';
import { type Database, openWriter } from '../../src/sqlite/open.ts';
import { CommitCounter } from '../../src/writer/commit-counter.ts';
import { bare } from './bare.ts';

const MIGRATIONS = new URL('../../src/sqlite/migrations/', import.meta.url);

/** @returns a database with the writer's own tables, and a table of rows; closing it is the caller's */
export function openWithHistory(path: string): Database {
  const db = openWriter(path);
  migrate(db, [{ name: 'writer', migrations: MIGRATIONS }]);
  db.exec('CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  return db;
}

/** Commits as one activation of a writer does, a row each. */
export function commitAs(db: Database, session: string, count: number, body = session): void {
  const counter = new CommitCounter(db, session);
  const insert = db.prepare('INSERT INTO rows (body) VALUES (?)');
  for (let commit = 0; commit < count; commit += 1) {
    db.transaction(() => {
      insert.run(body);
      counter.count(Date.now());
    }).immediate();
    counter.committed();
  }
}

/** Commits as a release does that opens no session. */
export function commitAsOlder(db: Database, count: number): void {
  const statement = db.prepare('UPDATE writer_commit SET ordinal = ordinal + 1, at_ms = ? WHERE id = 1');
  for (let commit = 0; commit < count; commit += 1) statement.run(Date.now());
}

/** Commits in a process that then dies by SIGKILL, as a writer does at a stop: its WAL stays. */
export async function commitAndDie(path: string, session: string, count: number): Promise<void> {
  const script = `
    import { commitAs, openWithHistory } from ${JSON.stringify(import.meta.url)};
    commitAs(openWithHistory(${JSON.stringify(path)}), ${JSON.stringify(session)}, ${count});
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawn(...bare(process.execPath, ['--input-type=module', '-e', script]), { stdio: 'inherit' });
  const [, signal] = await once(child, 'exit');
  if (signal !== 'SIGKILL') throw new Error('it did not get to its end');
}
