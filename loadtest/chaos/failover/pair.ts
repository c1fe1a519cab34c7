import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { epochFolder } from '../../../src/replication/failover/epoch.ts';
import type { LeaseRecord } from '../../../src/replication/lease/record.ts';
import { type S3Store, s3Environment, startS3Server } from '../../../src/testing/s3-server.ts';
import { freePort } from '../../support/free-port.ts';
import { StoreProxy } from '../../support/store-proxy.ts';
import type { Stage } from '../stage.ts';
import { Member } from './member.ts';
import { Witness } from './witness.ts';

const NAMES = ['a', 'b'] as const;
export type MemberName = (typeof NAMES)[number];
const PREFIX = 'app';
/** Longest wait from a fault until a system serves; the limits of the trials are lower. */
const SERVING_TIMEOUT_MS = 90_000;

export interface PairOptions {
  readonly ttlMs: number;
  /** Whether each can ask the other while the store is silent. */
  readonly hasPeers: boolean;
  readonly env?: NodeJS.ProcessEnv;
  /** Settings of one of the two. */
  readonly envOf?: (name: MemberName) => NodeJS.ProcessEnv;
  /** Its data folder; by default in the trial's folder. */
  readonly dataDirOf?: (name: MemberName) => string | undefined;
}

/** Two systems on one store, each with its own data folder, and its own proxies to the store and to the other. */
export class Pair {
  readonly members: readonly [Member, Member];
  readonly witness: Witness;
  readonly #stage: Stage;
  readonly #store: S3Store;

  private constructor(stage: Stage, store: S3Store, witness: Witness, members: readonly [Member, Member]) {
    this.#stage = stage;
    this.#store = store;
    this.witness = witness;
    this.members = members;
  }

  /** Makes both without starting them. They end with the stage. */
  static async make(
    stage: Stage,
    { ttlMs, hasPeers, env = {}, envOf, dataDirOf }: PairOptions,
  ): Promise<Pair> {
    const store = await startS3Server();
    stage.defer(() => store.destroy());
    const witness = new Witness();
    const secret = randomBytes(32).toString('hex');
    const listen = [await freePort(), await freePort()] as const;
    const make = async (index: 0 | 1): Promise<Member> => {
      const name = NAMES[index];
      const way = await StoreProxy.start(store.endpoint);
      way.onPassed = (passed) => witness.saw(name, passed);
      const peerWay = await StoreProxy.start(`http://127.0.0.1:${listen[index === 0 ? 1 : 0]}`);
      for (const proxy of [way, peerWay]) stage.defer(() => proxy.close());
      const peers = {
        PEER_SECRET: secret,
        PEER_LISTEN: `127.0.0.1:${listen[index]}`,
        PEER_URL: peerWay.endpoint,
      };
      return new Member({
        stage,
        name,
        dataDir: dataDirOf?.(name) ?? join(stage.folder, name),
        port: await freePort(),
        env: {
          ...s3Environment(store, PREFIX),
          S3_ENDPOINT: way.endpoint,
          FAILOVER: 'lease',
          LEASE_TTL_MS: String(ttlMs),
          NODE_NAME: name,
          WORKERS: '1',
          SPARE_WORKERS: '0',
          REPLICA_SYNC_INTERVAL_MS: '200',
          DRILL_INTERVAL_MS: '0',
          OVERLOAD_LAG_MS: '0',
          ...(hasPeers && peers),
          ...env,
          ...envOf?.(name),
        },
        way,
        peerWay,
      });
    };
    return new Pair(stage, store, witness, [await make(0), await make(1)]);
  }

  get urls(): readonly string[] {
    return this.members.map(({ url }) => url);
  }

  get record(): LeaseRecord {
    return JSON.parse(readFileSync(this.#pathOf('lease.json._S3rver_object'), 'utf8'));
  }

  /** @returns whether anything was uploaded into the folder of an epoch */
  hasFolder(epoch: number): boolean {
    return existsSync(this.#pathOf(epochFolder(epoch)));
  }

  other(member: Member): Member {
    return this.members[member === this.members[0] ? 1 : 0];
  }

  /** Starts both; the first becomes the leader. */
  async start(): Promise<void> {
    const [first, second] = this.members;
    first.start();
    await this.serves(first);
    second.start();
    await second.answers();
  }

  /** Resolves with the system that serves. */
  async leader(): Promise<Member> {
    let leader: Member | undefined;
    await this.#stage.until(
      async () => {
        const ready = await Promise.all(this.members.map((member) => member.isUp && member.isReady()));
        leader = this.members.find((_, index) => ready[index]);
        return leader !== undefined;
      },
      'one of both serves',
      SERVING_TIMEOUT_MS,
    );
    return leader as Member;
  }

  /** Resolves when this system serves. */
  async serves(member: Member): Promise<void> {
    await this.#stage.until(() => member.isReady(), `${member.name} serves`, SERVING_TIMEOUT_MS);
  }

  /** Ends all faults, and resolves with the leader once the other system stands by. */
  async heal(): Promise<Member> {
    for (const member of this.members) {
      member.resume();
      await Promise.all([member.way.become('open'), member.peerWay.become('open')]);
      if (!member.isUp) member.start();
    }
    const leader = await this.leader();
    await this.other(leader).answers();
    return leader;
  }

  /** Ends the other system, and leaves this one to the stage. */
  async leaveTo(leader: Member): Promise<void> {
    await this.other(leader).stop();
    this.#stage.keep(leader.system, leader.dataDir);
    leader.leave();
  }

  #pathOf(key: string): string {
    const { directory, bucket } = this.#store;
    return join(directory, bucket, PREFIX, key);
  }
}

/** @returns the keys in the main database of a system, running or not */
export function keysOf({ dataDir }: Member): ReadonlySet<string> {
  const db = new Sqlite(join(dataDir, 'main.db'), { readonly: true, fileMustExist: true });
  try {
    return new Set(db.prepare<[], string>('SELECT movie_id FROM alerts').pluck().all());
  } finally {
    db.close();
  }
}
