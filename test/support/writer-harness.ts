import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pino from 'pino';
import type { Test } from 'tap';
import { type Database, openReader } from '../../src/sqlite/open.ts';
import { WriterClient } from '../../src/writer-client/client.ts';
import { bare } from './bare.ts';
import { temporaryFolder } from './system.ts';

const WRITER = new URL('./counter-writer.ts', import.meta.url).pathname;
const SILENT = pino({ level: 'silent' });

interface Row {
  readonly id: string;
  readonly times: number;
}

export interface Harness {
  /** As another worker. */
  readonly connect: () => WriterClient;
  readonly client: WriterClient;
  start(options?: { queueMax?: number; blockMs?: number; retentionMs?: number }): Promise<ChildProcess>;
  rows(): Row[];
  count(table: string): number;
  readonly socketPath: string;
}

/** A real writer process with real SQLite, whose one command counts how often each id was applied. */
export function harness(t: Test, options: { deadlineMs?: number; queueMax?: number } = {}): Harness {
  const folder = temporaryFolder(t);
  const socketPath = join(folder, 'w.sock');
  const connect = () => {
    const client = new WriterClient({
      socketPath,
      name: 'test',
      deadlineMs: options.deadlineMs ?? 5000,
      queueMax: options.queueMax ?? 10_000,
      log: SILENT,
    });
    client.connect();
    t.teardown(() => client.close());
    return client;
  };
  const read = <Value>(query: (db: Database) => Value): Value => {
    const db = openReader(join(folder, 'count.db'));
    try {
      return query(db);
    } finally {
      db.close();
    }
  };
  return {
    client: connect(),
    connect,
    socketPath,
    async start(options = {}) {
      const writer = spawn(...bare(process.execPath, [WRITER, folder, JSON.stringify(options)]), {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.teardown(() => writer.kill('SIGKILL'));
      await once(writer.stdout as NodeJS.ReadableStream, 'data');
      return writer;
    },
    rows: () => read((db) => db.prepare('SELECT id, times FROM counts').all() as Row[]),
    count: (table) => read((db) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number),
  };
}
