import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite, { type Database } from 'better-sqlite3';
import type { TestedApp, TestRecord } from '../honest-clients.ts';
import { APP_ARGUMENTS, project } from '../project.ts';
import { isAcknowledged } from '../record.ts';
import { killQuietly, processesOf } from '../running-system.ts';
import { AppLoad } from './app-load.ts';
import { isAlive } from './processes.ts';
import { type Invocation, LOAD, type LoadShape, type Settled, Stage, type StageOptions } from './stage.ts';

/** The folder of the chassis. */
const ROOT = new URL('../../../', import.meta.url).pathname;
/** The size of the range of sequence numbers that each load has for its writes. */
const SEQUENCES_EACH = 1_000_000_000;

/** An app on which trials are run. */
export interface TriedApp extends TestedApp {
  /**
   * Checks the app's own rules for its data, such as: nothing half done, nothing done twice. Called for each of its
   * databases when the system has stopped.
   * @param db a read-only connection
   * @param name the name of the database, without `.db`
   * @param records all requests of the trial
   * @returns each violation of a rule, in words
   */
  readonly check?: (db: Database, name: string, records: readonly TestRecord[]) => readonly string[];
  /** Settings that the app needs. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface AppLoadShape extends Partial<LoadShape> {
  /** Whether each second write asks for the replica's confirmation. */
  readonly isReplicating?: boolean;
}

/** The stage for a trial of any app. The app is that of the project. */
export class AppStage extends Stage<TestRecord, AppLoad, AppLoadShape> {
  readonly #app: TriedApp;
  /** How many loads there were at the last loss of the machine. Of their writes, only replicated ones must be there. */
  #loadsBeforeLoss = 0;

  constructor(app: TriedApp, options: StageOptions) {
    super(options);
    this.#app = app;
  }

  get writePath(): string {
    return this.#app.write(1).path;
  }

  protected get defaultInvocation(): Invocation {
    return {
      root: ROOT,
      cwd: project?.folder ?? this.dataDir,
      nodePath: process.execPath,
      // All clients share one address, which would otherwise exceed the limit.
      env: { RATE_LIMIT_PUBLIC_PER_MINUTE: '1000000', ...this.#app.env, DATA_DIR: this.dataDir },
      uid: undefined,
      args: APP_ARGUMENTS,
    };
  }

  protected makeLoad(
    index: number,
    { kept, fresh, requestsPerSecond, isReplicating }: AppLoadShape,
  ): AppLoad {
    return new AppLoad({
      ...this.#app,
      url: this.system.url,
      connections: kept ?? LOAD.kept,
      fresh: fresh ?? LOAD.fresh,
      requestsPerSecond: requestsPerSecond ?? LOAD.requestsPerSecond,
      isReading: true,
      isReplicating: isReplicating ?? false,
      firstSequence: index * SEQUENCES_EACH + 1,
      random: () => this.random.next(),
    });
  }

  /** Does nothing: the code is that of the project, and a reload replaces every process all the same. */
  makeRelease(): void {}

  /** Kills every process at once, and removes the data folder. */
  async loseMachine(): Promise<void> {
    for (const pid of [this.system.pid, ...processesOf(this.dataDir)]) killQuietly(pid, 'SIGKILL');
    await this.system.destroy();
    await this.stopLoad();
    this.#loadsBeforeLoss = this.loads.length;
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
    mkdirSync(this.dataDir);
  }

  async settle(): Promise<Settled> {
    const records = await this.stopLoad();
    const isRunning = isAlive(this.system.pid);
    const { url } = isRunning ? this.system : await this.start(this.lastEnv);
    let acknowledged = 0;
    let lost = 0;
    for (const [index, load] of this.loads.entries()) {
      const isMeant = (record: TestRecord) =>
        isAcknowledged(record) && (index >= this.#loadsBeforeLoss || record.durability === 'replicated');
      const written = (await load.stop()).filter(isMeant);
      acknowledged += written.length;
      lost += (await load.clients.lost(url, written)).length;
    }
    const { code } = await this.stopSystem();
    const { damage, broken } = this.#inspect(records);
    return {
      records,
      figures: {
        acknowledged,
        'acknowledged, then lost': lost,
        'damaged pages': damage.length,
        "against the app's rules": broken.length,
        'unclean stops': code === 0 ? 0 : 1,
      },
    };
  }

  #inspect(records: readonly TestRecord[]): { readonly damage: string[]; readonly broken: string[] } {
    const damage: string[] = [];
    const broken: string[] = [];
    for (const file of readdirSync(this.dataDir).filter((name) => /^[^.].*\.db$/.test(name))) {
      const db = new Sqlite(join(this.dataDir, file), { readonly: true, fileMustExist: true });
      try {
        damage.push(
          ...(db.pragma('integrity_check(1)') as { integrity_check: string }[])
            .map(({ integrity_check }) => integrity_check)
            .filter((text) => text !== 'ok'),
        );
        damage.push(...(db.pragma('foreign_key_check') as unknown[]).map(() => 'a reference leads nowhere'));
        broken.push(...(this.#app.check?.(db, file.slice(0, -'.db'.length), records) ?? []));
      } finally {
        db.close();
      }
    }
    for (const text of broken) this.progress(text);
    return { damage, broken };
  }
}
