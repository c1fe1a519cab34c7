import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import pino from 'pino';
import t, { type Test } from 'tap';
import { ownersOf } from '../../src/features/owners.ts';
import { migrate } from '../../src/sqlite/migrations.ts';
import { openReader, openWriter } from '../../src/sqlite/open.ts';
import { dryRun } from '../../src/writer/dry-run.ts';
import { WriterClient } from '../../src/writer-client/client.ts';
import { FrameReader } from '../../src/writer-client/frames.ts';
import {
  type Hello,
  type WireBatch,
  WRITER_PROTOCOL,
  writerSocketPath,
} from '../../src/writer-client/protocol.ts';
import { TestChild } from '../support/child.ts';
import { temporaryFolder } from '../support/system.ts';

const DATABASES = ['main', 'media'];
const STANDBYS = { worker: 'worker/main.ts', tally: 'background/main.ts' };

/** Databases that a release finds before its migrations: the features' tables are pending. */
function makeLive(t: Test): string {
  const dataDir = temporaryFolder(t);
  for (const database of DATABASES) {
    const db = openWriter(join(dataDir, `${database}.db`));
    migrate(db, ownersOf(database).slice(0, 1));
    db.close();
  }
  return dataDir;
}

/** What a dry run leaves of such databases. @param sql run on one of them */
function makeTried(t: Test, sql: Partial<Record<string, string>> = {}): string {
  const dataDir = makeLive(t);
  const folder = join(dataDir, 'tried');
  const targets = DATABASES.map((database) => ({
    database,
    path: join(dataDir, `${database}.db`),
    owners: ownersOf(database),
  }));
  dryRun({ targets, folder, reserveMb: 0, before: () => {} });
  for (const [database, text] of Object.entries(sql)) {
    const db = openWriter(join(folder, `${database}.db`));
    db.exec(text!);
    db.close();
  }
  return folder;
}

/** A socket in the writer's place, which tells each connection how many there have been, and nothing else. */
async function listenAsWriter(t: Test, dataDir: string) {
  const path = writerSocketPath(dataDir);
  mkdirSync(dirname(path), { recursive: true });
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    // Less than a frame, so that a client goes on waiting for one.
    socket.write(`${sockets.length}`);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(path), 'listening');
  return {
    /** How many connections there have been until now: they are accepted in their order, and this one comes last. */
    async connections(): Promise<number> {
      const socket = createConnection(path);
      const [text] = await once(socket, 'data');
      socket.destroy();
      return Number(text) - 1;
    },
    next: async () => (await once(server, 'connection'))[0] as Socket,
  };
}

/** The messages that a client sends on a connection. */
function messagesOf(socket: Socket): () => Promise<unknown> {
  const messages: unknown[] = [];
  let wake = () => {};
  const reader = new FrameReader((message) => {
    messages.push(message);
    wake();
  });
  socket.on('data', (chunk) => reader.push(chunk));
  return async () => {
    while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return messages.shift();
  };
}

for (const [role, entry] of Object.entries(STANDBYS)) {
  t.test(`a ${role} stands by on what a dry run has left, and adds nothing to it`, async (t) => {
    const dataDir = makeTried(t);
    const child = new TestChild(t, { role, entry, dataDir, standby: true });
    await child.said('standby');
    t.strictSame(
      readdirSync(dataDir).filter((name) => !/^(main|media)\.db(-wal|-shm)?$/.test(name)),
      [],
    );
  });

  t.test(`a ${role} that stands by connects to nothing until it is activated`, async (t) => {
    const dataDir = makeTried(t, { main: "INSERT INTO tallies (name, notes) VALUES ('left', -1)" });
    const writer = await listenAsWriter(t, dataDir);
    const child = new TestChild(t, { role, entry, dataDir, standby: true });
    await child.said('standby');
    t.equal(await writer.connections(), 0);

    const connected = writer.next();
    child.send({ kind: 'activate', name: role, input: { url: 'http://localhost' } });
    const next = messagesOf(await connected);
    t.equal(((await next()) as Hello).protocol, WRITER_PROTOCOL);
    if (role === 'tally') {
      const [[, name, , input] = []] = ((await next()) as WireBatch).ops;
      t.strictSame([name, input], ['notes.tally', { name: 'left', notes: 0 }], 'now it finishes it');
    } else await child.said('ready');
  });
}

t.test(
  'a writer that stands by changes no database and leaves the socket to the one that serves',
  async (t) => {
    const dataDir = makeLive(t);
    const isMigrated = () => {
      const db = openReader(join(dataDir, 'main.db'));
      try {
        return db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'notes'").pluck().get() === 1;
      } finally {
        db.close();
      }
    };
    const serving = await listenAsWriter(t, dataDir);
    const child = new TestChild(t, { entry: 'writer/main.ts', dataDir, standby: true });
    await child.said('standby');
    t.equal(await serving.connections(), 0, 'who connects there reaches the one that serves');
    t.notOk(isMigrated());

    child.send({ kind: 'activate', name: 'writer' });
    await child.said('ready');
    t.ok(isMigrated());
    const client = new WriterClient({
      socketPath: writerSocketPath(dataDir),
      name: 'test',
      deadlineMs: 5000,
      queueMax: 1,
      log: pino({ level: 'silent' }),
    });
    t.teardown(() => client.close());
    client.connect();
    t.strictSame(await client.write('keys.touch', { uses: [] }), {});
  },
);

t.test('a statement that does not fit is told with its feature, before standby', async (t) => {
  const cases = [
    ['worker', 'main', 'ALTER TABLE notes RENAME COLUMN text TO words', 'notes', 'no such column: text'],
    ['worker', 'main', 'DROP TABLE keys', 'keys', 'no such table: keys'],
    ['worker', 'media', 'DROP TABLE files', 'files', 'no such table: files'],
    ['tally', 'main', 'DROP TABLE notes', 'notes', 'no such table: notes'],
    ['tally', 'media', 'DROP TABLE files', 'notes', 'no such table: files'],
  ] as const;
  for (const [role, database, sql, feature, reason] of cases) {
    const dataDir = makeTried(t, { [database]: sql });
    const child = new TestChild(t, { role, entry: STANDBYS[role], dataDir, standby: true });
    const { code, message } = await child.said('failed');
    t.strictSame(
      { code, message, exitCode: await child.exitCode() },
      {
        code: 'migration_mismatch',
        message: `The statements of ${feature} do not fit the database: ${reason}`,
        exitCode: 78,
      },
      sql,
    );
  }
});
