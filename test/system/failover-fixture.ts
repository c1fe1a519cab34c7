import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { freePorts } from '../../loadtest/support/free-port.ts';
import type { LeaseRecord } from '../../src/replication/lease/record.ts';
import { s3Environment } from '../../src/testing/s3-server.ts';
import { startS3, type TestStore } from '../support/s3.ts';
import { launch, type RunningSystem, temporaryFolder, until } from '../support/system.ts';
import { objectPath, post } from './lease-fixture.ts';

/** For those who wait until it has passed; a busy machine may need most of it for a renewal. */
export const TTL_MS = 6000;
/** For those who do not: longer than a start or a command takes on a busy machine. */
export const LONG = { LEASE_TTL_MS: '20000' };

/** Two systems on one replica, each with its data folder, and the record that decides which leads. */
export interface Pair {
  readonly store: TestStore;
  readonly env: NodeJS.ProcessEnv;
  /** Starts one; with the data folder of another that has ended, it is that one again. */
  readonly member: (name: string, dataDir?: string, more?: NodeJS.ProcessEnv) => RunningSystem;
  readonly record: () => Pick<LeaseRecord, 'epoch' | 'data' | 'state' | 'isAlone' | 'isRestoring'>;
}

export async function pair(t: Test): Promise<Pair> {
  const store = await startS3(t);
  const env = {
    ...s3Environment(store, 'app'),
    FAILOVER: 'lease',
    LEASE_TTL_MS: String(TTL_MS),
    WORKERS: '1',
    SPARE_WORKERS: '0',
    REPLICA_SYNC_INTERVAL_MS: '200',
    DRILL_INTERVAL_MS: '0',
  };
  return {
    store,
    env,
    member: (name, dataDir = temporaryFolder(t), more = {}) =>
      launch(t, { ...env, NODE_NAME: name, ...more }, dataDir),
    record: () => JSON.parse(readFileSync(objectPath(store, 'app/lease.json'), 'utf8')),
  };
}

/** @returns the settings by which each of two asks the other */
export async function peers(): Promise<readonly [NodeJS.ProcessEnv, NodeJS.ProcessEnv]> {
  const PEER_SECRET = randomBytes(32).toString('hex');
  const [one, other] = await freePorts();
  const of = (own: number, peer: number) => ({
    PEER_SECRET,
    PEER_LISTEN: `127.0.0.1:${own}`,
    PEER_URL: `http://127.0.0.1:${peer}`,
  });
  return [of(one, other), of(other, one)];
}

/** Resolves with the address of one that has said that it stands by, or leads. */
export async function standsBy(system: RunningSystem): Promise<string> {
  const line = () => system.lines.find(({ msg }) => msg.startsWith('stands by: '));
  await until(() => line() !== undefined, 'it stands by');
  return String(line()?.url);
}

/** Starts one that leads, and another that stands by. */
export async function bothOf(
  { member }: Pick<Pair, 'member'>,
  more?: NodeJS.ProcessEnv,
): Promise<{ readonly leader: RunningSystem; readonly standby: RunningSystem }> {
  const leader = member('a', undefined, more);
  await leader.ready();
  const standby = member('b', undefined, more);
  await standsBy(standby);
  return { leader, standby };
}

/** Resolves when it is acknowledged: a leader that could not renew the record in time on a busy machine commits later. */
export async function written(system: RunningSystem, id: string, durability?: string): Promise<void> {
  await until(async () => (await post(system, id, durability)).status === 201, `${id} is written`);
}
