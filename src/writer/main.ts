import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { startChild } from '../child/child.ts';
import type { Command } from '../feature.ts';
import { databaseNames, features } from '../features.ts';
import { monitorIntervalMs } from '../replication/litestream-config.ts';
import { migrate, readMigrations } from '../sqlite/migrations.ts';
import { openWriter } from '../sqlite/open.ts';
import { Committer } from './committer.ts';
import { Ledger } from './ledger.ts';
import { writerSocketPath } from './protocol.ts';
import { Replication } from './replication.ts';
import { WriterServer } from './server.ts';
import { StorageGuard } from './storage-guard.ts';

/** The writer's entry: the only process that opens the databases read-write. */
/** How often the primary hears of the lag, and how often a heartbeat is considered. */
const LAG_INTERVAL_MS = 500;
const EXPIRE_INTERVAL_MS = 50;

const activated = Promise.withResolvers<void>();
const { config, log, tell, ready, input } = startChild((message) => {
  if (message.kind === 'activate') activated.resolve();
  if (message.kind === 'replicated') replications.get(message.database)?.confirm(message, message.generation);
  if (message.kind === 'drain') {
    server.drain().then(() => tell({ kind: 'drained' }));
    // It stays, with its connections open, until the primary has stopped Litestream and kills it.
  }
});

// New files are the owner's alone: databases, WALs and the socket.
process.umask(0o077);

/** Applies what is missing, and says so after each step, since one may take longer than a start may. */
function bringUpToDate(database: string, db: Database): void {
  const own = { name: 'writer', migrations: new URL('./migrations/', import.meta.url) };
  for (const owner of [own, ...features.filter((feature) => feature.database === database)]) {
    for (const name of migrate(db, owner.name, readMigrations(owner.migrations))) {
      log.info({ database, migration: `${owner.name}/${name}` }, `applied migration ${owner.name}/${name}`);
      tell({ kind: 'progress', detail: name });
    }
  }
}

async function commandsOf(database: string): Promise<Map<string, Command>> {
  const commands = new Map<string, Command>();
  for (const feature of features.filter((candidate) => candidate.database === database)) {
    for (const [name, command] of Object.entries(await feature.commands())) {
      commands.set(`${feature.name}.${name}`, command as Command);
    }
  }
  return commands;
}

const commandsByDatabase = new Map<string, Map<string, Command>>();
for (const database of databaseNames()) commandsByDatabase.set(database, await commandsOf(database));
if ((input as { standby: boolean }).standby) {
  tell({ kind: 'standby' });
  // Another writer may still hold the databases: nothing of them is touched until it is gone.
  await activated.promise;
}

mkdirSync(config.DATA_DIR, { recursive: true, mode: 0o700 });
const routing = new Map<string, Committer>();
const guard = new StorageGuard({
  dataDir: config.DATA_DIR,
  diskReserveMb: config.DISK_RESERVE_MB,
  backlogMaxMb: config.REPLICA_BACKLOG_MAX_MB,
  log,
});
guard.look(0);
const replications = new Map<string, Replication>();
for (const [database, commands] of commandsByDatabase) {
  const db = openWriter(join(config.DATA_DIR, `${database}.db`));
  bringUpToDate(database, db);
  const ledger = new Ledger(db, Date.now());
  const replication = new Replication(db, config.REPLICA_SYNC_INTERVAL_MS, monitorIntervalMs(config));
  replications.set(database, replication);
  const committer = new Committer({
    db,
    ledger,
    commands,
    queueMax: config.WRITE_QUEUE_MAX,
    log,
    closedBecause: () => guard.closedBecause,
    gate: () => replication.waitMs(),
    whenReplicated: (timeoutMs, done) => replication.whenReplicated(timeoutMs, done),
    onCommit: ({ atMs }) => replication.committed(atMs),
  });
  for (const name of commands.keys()) routing.set(name, committer);
}
const server = new WriterServer(routing, log);
await server.listen(writerSocketPath(config.DATA_DIR));
setInterval(() => {
  for (const replication of replications.values()) replication.expire();
}, EXPIRE_INTERVAL_MS).unref();
setInterval(() => {
  for (const replication of replications.values()) replication.beat();
  const reports = [...replications].map(
    ([database, replication]) => [database, replication.report()] as const,
  );
  guard.look(reports.reduce((sum, [, { unconfirmedBytes }]) => sum + unconfirmedBytes, 0));
  tell({ kind: 'lag', reports: Object.fromEntries(reports), readOnlyBecause: guard.closedBecause });
}, LAG_INTERVAL_MS).unref();
ready();
