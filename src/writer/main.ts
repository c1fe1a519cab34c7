import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { appConfigOf } from '../features/app-settings.ts';
import { databaseNames } from '../features/features.ts';
import { QUOTA_QUERY, type QuotaRequest } from '../limits/policy.ts';
import { LimitPool } from '../limits/pool.ts';
import type { Trouble } from '../messages/messages.ts';
import { Failure } from '../platform/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { FilesExchanged } from '../sqlite/damage.ts';
import { newestMigrations, newestNeeded } from '../sqlite/migration-history.ts';
import {
  monotonicNowMs,
  REPLICATED_QUERY,
  type ReplicatedRequest,
  writerSocketPath,
} from '../writer-client/protocol.ts';
import { openDatabases } from './databases.ts';
import { WriterServer } from './server.ts';
import { StorageGuard } from './storage-guard.ts';
import { loadCommands, makeStore, type Store } from './store.ts';

/** How often the writer reports its lag to the primary, and checks whether a heartbeat is due. */
const LAG_INTERVAL_MS = 500;
const EXPIRE_INTERVAL_MS = 50;

/** The writer: the only process that opens the databases read-write. */
export async function run(runtime: Runtime): Promise<void> {
  const { config, log, send } = runtime;
  const stores = new Map<string, Store>();
  let server: WriterServer | undefined;
  let guard: StorageGuard | undefined;
  // With a standby, the writer commits only while the primary confirms that this system leads. Until the first
  // confirmation, operations wait in the queue.
  const hasStandby = config.FAILOVER !== 'off';
  let commitUntilMs = hasStandby ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  let isHeld = hasStandby;
  runtime.onMessage((message) => {
    if (message.kind === 'replicated') {
      stores.get(message.database)?.replication.confirmed(message);
    }
    if (message.kind === 'refuse-writes') guard?.refuse(message.because);
    if (message.kind === 'commit-until') {
      commitUntilMs = message.monotonicMs;
      isHeld = false;
    }
    if (message.kind === 'hold-commits') {
      isHeld = true;
      if (guard) report([...stores.values()], guard, runtime);
      send({ kind: 'commits-held' });
    }
    if (message.kind === 'behind') stores.get(message.database)?.replication.behind(message);
    // After a drain the writer stays, with its connections open, until the primary has stopped Litestream and kills it.
    if (message.kind === 'drain') {
      // No permission to commit will come any more: refuse the waiting operations.
      if (isHeld) commitUntilMs = Number.NEGATIVE_INFINITY;
      isHeld = false;
      server?.drain().then(() => {
        keepFiles([...stores.values()]);
        if (guard) report([...stores.values()], guard, runtime);
        send({ kind: 'drained' });
      });
    }
  });

  // New files (databases, WALs, the socket) are accessible to their owner alone.
  process.umask(0o077);
  const appConfig = await appConfigOf(config);
  const names = databaseNames();
  const commands = new Map(
    await Promise.all(names.map(async (name) => [name, await loadCommands(name)] as const)),
  );
  await runtime.standby();
  mkdirSync(config.DATA_DIR, { recursive: true, mode: 0o700 });
  guard = new StorageGuard({
    dataDir: config.DATA_DIR,
    diskReserveMb: config.DISK_RESERVE_MB,
    backlogMaxMb: config.REPLICA_BACKLOG_MAX_MB,
    log,
  });
  guard.look(0);
  const session = randomUUID();
  const { databases, notices } = await openDatabases(names, session, runtime);
  for (const [name, db] of databases)
    stores.set(
      name,
      makeStore(name, db, commands.get(name) ?? new Map(), session, guard, {
        log,
        meter: runtime.meter,
        ...(hasStandby && { mayCommitUntilMs: () => commitUntilMs, isHeld: () => isHeld }),
        config: appConfig,
      }),
    );
  const routing = [...stores.values()].flatMap(({ committer, commandNames }) =>
    commandNames.map((name) => [name, committer] as const),
  );
  const limits = new LimitPool(config);
  const questions = new Map<string, (input: unknown) => Promise<unknown>>([
    [QUOTA_QUERY, async (input) => limits.grant(input as QuotaRequest)],
    [REPLICATED_QUERY, (input) => whenReplicated(stores, input as ReplicatedRequest)],
  ]);
  server = new WriterServer(new Map(routing), log, questions);
  await server.listen(writerSocketPath(config.DATA_DIR));
  keepReporting([...stores.values()], guard, runtime, () => !isHeld && monotonicNowMs() < commitUntilMs);
  const schema = Object.fromEntries([...databases].map(([name, db]) => [name, newestMigrations(db)]));
  const needs = Object.fromEntries([...databases].map(([name, db]) => [name, newestNeeded(db)]));
  runtime.ready(notices.length > 0 ? notices.join(' ') : undefined, schema, needs);
}

async function whenReplicated(
  stores: ReadonlyMap<string, Store>,
  { database, timeoutMs }: ReplicatedRequest,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const replication = stores.get(database)?.replication;
  if (!replication) throw new Failure('internal', `there is no database ${database}`);
  replication.whenReplicated(timeoutMs, resolve);
  return promise;
}

/** @throws FilesExchanged when files were removed or exchanged, once those of all databases are back in place */
function keepFiles(stores: readonly Store[]): void {
  const exchanged = stores.flatMap(({ replication }) => replication.keepFiles() ?? []);
  if (exchanged.length > 0 && !stores.some(({ replication }) => replication.refusal))
    throw new FilesExchanged(exchanged.join('; '));
}

function keepReporting(
  stores: readonly Store[],
  guard: StorageGuard,
  runtime: Runtime,
  mayCommit: () => boolean,
): void {
  setInterval(() => {
    for (const { replication } of stores) replication.expire();
  }, EXPIRE_INTERVAL_MS).unref();
  setInterval(() => {
    keepFiles(stores);
    for (const { replication } of stores) {
      replication.look(guard.isDiskShort);
      if (guard.closedBecause === undefined && !replication.refusal && mayCommit()) replication.beat();
    }
    report(stores, guard, runtime);
  }, LAG_INTERVAL_MS).unref();
}

/** @returns the problems of the databases while they serve */
function problemsOf(stores: readonly Store[], { closedBecause, nearBecause }: StorageGuard): Trouble[] {
  const ofStores = stores.flatMap(({ database, replication }) => {
    const { locker } = replication;
    if (locker === undefined) return replication.problems(database);
    const reason = `${locker} has locked ${database} for writing: writes wait, and are refused after WRITE_DEADLINE_MS. Reads go on. End that process, or its transaction.`;
    return [{ name: 'lock', reason }, ...replication.problems(database)];
  });
  // The guard sees neither a quota nor, without a reserve, a full disk.
  const full = stores.map(({ committer }) => committer.fullBecause).find((because) => because !== undefined);
  const reason =
    full === undefined || closedBecause !== undefined ? nearBecause : `writes are refused: ${full}`;
  return reason === undefined ? ofStores : [{ name: 'storage', reason }, ...ofStores];
}

let told: readonly string[] = [];

function tellProblems(problems: readonly Trouble[], { log }: Runtime): void {
  const names = problems.map(({ name }) => name);
  for (const { name, reason } of problems) if (!told.includes(name)) log.warn(reason);
  for (const name of told) if (!names.includes(name)) log.info(`${name}: within its bounds again`);
  told = names;
}

function report(stores: readonly Store[], guard: StorageGuard, runtime: Runtime): void {
  const reports = stores.map(({ database, replication }) => [database, replication.report()] as const);
  // When the files are gone, their folder may be gone too, and its free space cannot be read.
  if (!stores.some(({ replication }) => replication.refusal))
    guard.look(reports.reduce((sum, [, { unconfirmedBytes }]) => sum + unconfirmedBytes, 0));
  const problems = problemsOf(stores, guard);
  tellProblems(problems, runtime);
  runtime.send({
    kind: 'lag',
    reports: Object.fromEntries(reports),
    readOnlyBecause: guard.closedBecause,
    problems,
  });
}
