import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../../src/testing/chaos/random.ts';
import { s3Environment, startS3Server } from '../../../src/testing/s3-server.ts';
import { StoreProxy } from '../../support/store-proxy.ts';
import type { Stage } from '../stage.ts';
import { flip } from './flip.ts';

export type ReplicaKind = 's3' | 'file';

/** The storage of one kind of replica. Here its objects are files, whichever way the system reaches them. */
interface Store {
  /** @returns the settings that make a place in the store the replica */
  readonly env: (place: string) => NodeJS.ProcessEnv;
  /** The folder with one folder for each place. */
  readonly root: string;
  readonly silence: () => Promise<void>;
  readonly speak: () => Promise<void>;
}

/**
 * The replicas of a trial: places in one store, of which the system uses one at a time. States: speaking → silent
 * (`silence`) → speaking (`speak`).
 */
export class ReplicaSite {
  readonly #store: Store;
  #place = 'a';
  #other = 'b';
  #count = 0;

  private constructor(store: Store) {
    this.#store = store;
  }

  static async make(kind: ReplicaKind, stage: Stage): Promise<ReplicaSite> {
    return new ReplicaSite(kind === 's3' ? await overS3(stage) : inFolder(stage));
  }

  /** Settings for the place that is in use. */
  get env(): NodeJS.ProcessEnv {
    return this.#store.env(this.#place);
  }

  /** Switches between two places. */
  swap(): void {
    [this.#place, this.#other] = [this.#other, this.#place];
  }

  /** Switches to an empty place, as an operator does who goes on without the content of the replica. */
  begin(): void {
    this.#count += 1;
    this.#place = `a-${this.#count}`;
    this.#other = `b-${this.#count}`;
  }

  /** Replaces the other place by an empty one: an operator has given up its history. */
  dropOther(): void {
    this.#count += 1;
    this.#other = `b-${this.#count}`;
  }

  async silence(): Promise<void> {
    await this.#store.silence();
  }

  async speak(): Promise<void> {
    await this.#store.speak();
  }

  /** Removes all objects. */
  empty(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Mixes up the times of the objects, as a copy that does not keep them does. */
  shuffleTimes(random: Random): void {
    const nowS = Date.now() / 1000;
    for (const path of filesBelow(this.#folder)) {
      const atS = nowS - random.below(600);
      utimesSync(path, atS, atS);
    }
  }

  /** Moves times ahead, as a store whose clock was ahead has them. @param share of the objects, 0 to 1 */
  moveTimesAhead(random: Random, share: number): void {
    for (const path of filesBelow(this.#folder)) {
      if (random.next() >= share) continue;
      const atS = statSync(path).mtimeMs / 1000 + 3600;
      utimesSync(path, atS, atS);
    }
  }

  /** Removes one object without a trace. */
  removeOne(random: Random): void {
    const objects = dataBelow(this.#folder);
    if (objects.length > 0) rmSync(random.pick(objects));
  }

  /** Flips one bit of an object. */
  damageOne(random: Random): void {
    const objects = dataBelow(this.#folder).filter((path) => statSync(path).size > 0);
    if (objects.length === 0) return;
    const path = random.pick(objects);
    flip(path, random.below(statSync(path).size));
  }

  get #folder(): string {
    return join(this.#store.root, this.#place);
  }
}

async function overS3(stage: Stage): Promise<Store> {
  const server = await startS3Server('history');
  stage.defer(() => server.destroy());
  const proxy = await StoreProxy.start(server.endpoint);
  stage.defer(() => proxy.close());
  return {
    env: (place) => s3Environment({ ...server, endpoint: proxy.endpoint }, place),
    root: join(server.directory, server.bucket),
    silence: () => proxy.become('hang'),
    speak: () => proxy.become('open'),
  };
}

function inFolder(stage: Stage): Store {
  const [mount, away] = [join(stage.folder, 'mount'), join(stage.folder, 'away')];
  mkdirSync(mount);
  return {
    env: (place) => ({ REPLICA_URL: `file:${join(mount, place)}` }),
    root: mount,
    silence: async () => renameSync(mount, away),
    speak: async () => {
      if (existsSync(away)) renameSync(away, mount);
    },
  };
}

/** @returns the objects of Litestream, without those of the system itself */
function dataBelow(folder: string): string[] {
  return filesBelow(folder).filter((path) => /\.(?:wal|snapshot)\.lz4(?:\._S3rver_object)?$/.test(path));
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
}
