import { mkdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../platform/errors.ts';
import type { Logger } from '../../platform/log.ts';
import { replicaIn } from '../../replication/failover/lineage.ts';
import { removeNote } from '../../replication/failover/note.ts';
import {
  type HistoryMark,
  markPath,
  type Notice,
  readMark,
  writeMark,
} from '../../replication/history/mark.ts';
import { removeSidecar } from '../../replication/history/sidecar.ts';
import { moveAside } from '../../replication/leftovers.ts';
import { areAllThere, writeLitestreamConfig } from '../../replication/litestream-config.ts';
import { mirrorDir } from '../../replication/restore/mirrored.ts';
import { replicaUnreachable } from '../../replication/store/unreachable.ts';
import type { Child } from '../child.ts';
import type { ChildExit } from '../child-exit.ts';
import type { Events } from '../events.ts';
import { prepared } from '../preparation.ts';
import type { ProcessFactory } from '../process-factory.ts';
import { drainTimeoutMsOf, PROCESSES } from '../processes.ts';
import type { Deployment } from '../release/deployment.ts';

/** Between two tries while the store is out of reach. */
const AGAIN_MS = 1000;

/** @returns the deployment with a folder of the shared replica as its own; writes Litestream's configuration for it */
export function deploymentIn(deployment: Deployment, folder: string): Deployment {
  const config = { ...deployment.config, replica: replicaIn(deployment.config.replica, folder) };
  const { format } = deployment.litestream;
  writeLitestreamConfig(config, deployment.databases, { format });
  return { ...deployment, config };
}

/**
 * The note of the own epoch is valid only with its databases. Where one is missing, the note is removed, so that
 * another epoch begins, with databases from the replica. The caller has the lock of the data folder.
 */
export function forgetEpochWithoutDatabases(deployment: Deployment): void {
  const { DATA_DIR } = deployment.config;
  if (!areAllThere(DATA_DIR, deployment.databases)) removeNote(DATA_DIR);
}

/**
 * Brings the databases of this system to the state of the epoch that the record names. States and who moves them: idle
 * → restoring (`bring`) ⇄ waiting (the store is out of reach; a timer) → idle; `abort` ends it.
 */
export class Takeover {
  readonly #factory: ProcessFactory;
  readonly #events: Events;
  readonly #log: Logger;
  #preparing: Child | undefined;
  readonly #aborted = new AbortController();
  /** Notices of databases that were put aside; kept here until the new databases have a mark to hold them. */
  readonly #notices: Notice[] = [];

  constructor(factory: ProcessFactory, events: Events, log: Logger) {
    this.#log = log;
    this.#factory = factory;
    this.#events = events;
  }

  /**
   * Databases that have all of the replica stay; others are restored. Databases that have gone on apart from the
   * replica are put aside: the other system has led meanwhile, and its history counts. While the store is out of reach
   * this waits: no other system can lead either.
   * @param folder below the shared replica
   * @param own the folder of the epoch that begins
   * @param demandLead throws when this system leads no longer
   * @throws Failure why the databases cannot be brought here; what `demandLead` throws
   */
  async bring(deployment: Deployment, folder: string, own: string, demandLead: () => void): Promise<void> {
    const { signal } = this.#aborted;
    let isTold = false;
    for (;;) {
      try {
        await this.#tryToBring(deployment, folder, own);
        return;
      } catch (failure) {
        if (!(failure instanceof Failure) || failure.code !== 'replica_unreachable') throw failure;
        if (!isTold) this.#log.warn(`the databases are waited for: ${failure.message}`);
        isTold = true;
      }
      await delay(AGAIN_MS, undefined, { signal }).catch(() => {});
      this.#demandGoingOn();
      demandLead();
    }
  }

  async #tryToBring(deployment: Deployment, folder: string, own: string): Promise<void> {
    const source = deploymentIn(deployment, folder);
    const { DATA_DIR, replica } = source.config;
    mkdirSync(DATA_DIR, { recursive: true, mode: 0o700 });
    try {
      await this.#prepare(source, folder);
    } catch (failure) {
      if (!(failure instanceof Failure) || failure.code !== 'history_unsettled') throw failure;
      this.#notices.push(...this.#putAside(source, failure.message));
      await this.#prepare(source, folder);
    }
    const mark = readMark(DATA_DIR);
    const waitsBecause = mark?.waitsBecause;
    // A single system would serve with these databases; but the other one may have gone on without this one.
    if (waitsBecause !== undefined) throw replicaUnreachable(replica, waitsBecause);
    // In the own folder Litestream begins other generations. Its state of the former folder is removed, lest that
    // change be reported as a finding.
    for (const database of deployment.databases) removeSidecar(DATA_DIR, database);
    if (!mark) return;
    const continued = continuedIn(mark, replicaIn(deployment.config.replica, own).url);
    writeMark(DATA_DIR, { ...continued, notices: [...mark.notices, ...this.#notices.splice(0)] }, true);
  }

  abort(cause: string): void {
    this.#aborted.abort(cause);
    const child = this.#preparing;
    if (child) child.drain(drainTimeoutMsOf(PROCESSES.prepare, child.deployment.config), cause);
  }

  #demandGoingOn(): void {
    const { aborted, reason } = this.#aborted.signal;
    if (aborted) throw new Failure('not_ready', `Stopped while taking over: ${reason}`);
  }

  /** @returns the notices that a person should know until they are acknowledged */
  #putAside({ config: { DATA_DIR }, databases }: Deployment, because: string): Notice[] {
    const nowMs = Date.now();
    const folders = databases.flatMap((database) => moveAside(DATA_DIR, database, nowMs) ?? []);
    rmSync(markPath(DATA_DIR), { force: true });
    // For a system without another one, a person would decide about this.
    const [found] = because.split(' Nothing was changed.');
    const text = `${found} What the other system has goes on. What was here is in ${folders.join(' and ')}; nothing removes it by itself.`;
    this.#events.record('history', { cause: text });
    return folders
      .slice(0, 1)
      .map((folder) => ({ atMs: nowMs, text, isRecorded: true, quarantine: relative(DATA_DIR, folder) }));
  }

  async #prepare(deployment: Deployment, folder: string): Promise<void> {
    const { litestream, litestreamConfigPath, databases } = deployment;
    const { role: name } = PROCESSES.prepare;
    const mirror = join(mirrorDir(deployment.config.DATA_DIR), folder);
    const input = { litestream, litestreamConfigPath, databases, mirrorDir: mirror, lastCommits: {} };
    await prepared({
      run: () => this.#runPrepare(deployment, name, input),
      demandGoingOn: () => this.#demandGoingOn(),
      log: this.#log,
    });
  }

  #runPrepare(deployment: Deployment, name: string, input: object): Promise<ChildExit> {
    const child = this.#factory.child(PROCESSES.prepare, { name, deployment, input });
    this.#preparing = child;
    child.on('message', (message) => {
      if (message.kind === 'restored')
        this.#events.record('restored', { cause: `${message.database} was restored: ${message.loss}` });
    });
    child.markReady();
    return new Promise((resolve) => child.once('exit', resolve));
  }
}

/** @returns what is known of the databases, without any upload: nothing is yet in the folder where they go on */
function continuedIn(mark: HistoryMark, replicaUrl: string): HistoryMark {
  const databases = Object.entries(mark.databases).map(([name, known]) => {
    return [name, { ...known, replicated: undefined, segment: undefined, generations: [] }] as const;
  });
  return { ...mark, replicaUrl, databases: Object.fromEntries(databases) };
}
