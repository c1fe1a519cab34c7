import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Leadership } from '../../../src/messages/messages.ts';
import type { ContenderInput } from '../../../src/replication/failover/main.ts';
import { s3Environment } from '../../../src/testing/s3-server.ts';
import { TestChild } from '../../support/child.ts';
import type { TestStore } from '../../support/s3.ts';
import { temporaryFolder, until } from '../../support/system.ts';

/** For those who wait until it has passed; a busy machine may need most of it for a renewal. */
export const TTL_MS = 6000;
/** For those who do not: longer than anything is waited for. */
export const ENDLESS = { ttlMs: 600_000 };
export const HOLD_MS = (TTL_MS * 2) / 3;
export const UPLOAD = { database: 'main', generation: 'g', salt: 's', offsetBytes: 1 };

/** On a busy machine a peer may not answer in time, and is asked again. */
export function isAnswered({ peer }: Leadership): boolean {
  return peer !== undefined && !peer.problem?.startsWith('it cannot be reached');
}

interface Place {
  readonly store: TestStore;
  readonly dataDir?: string;
  readonly input?: Partial<ContenderInput>;
  readonly secret?: string;
  readonly name?: string;
}

/** The process as the primary has it, and what it has said last. */
export function contend(
  t: Test,
  { store, dataDir = temporaryFolder(t), input = {}, secret = 'of both', name = '' }: Place,
) {
  mkdirSync(join(dataDir, 'run'), { recursive: true, mode: 0o700 });
  const child = new TestChild(t, {
    entry: 'replication/failover/main.ts',
    dataDir,
    input: { session: dataDir, pid: process.pid, ttlMs: TTL_MS, release: 'r', isResumed: false, ...input },
    settings: { ...(s3Environment(store, 'app') as Record<string, string>), NODE_NAME: name },
    env: { ...store.credentials, PEER_SECRET: secret },
  });
  const said: { leadership: Leadership; counted: object[] } = {
    leadership: { state: 'standby' },
    counted: [],
  };
  child.process.on('message', (message: { kind: string }) => {
    if (message.kind === 'leadership') said.leadership = message as unknown as Leadership;
    if (message.kind === 'counted') said.counted.push(message);
  });
  const becomes = (state: Leadership['state']) => until(() => said.leadership.state === state, state);
  /** What its system does in between: its databases are there at once. */
  const lead = async () => {
    await becomes('restoring');
    child.send({ kind: 'databases-restored' });
    await becomes('uploading');
    child.send({ kind: 'epoch-covered' });
    await becomes('leader');
  };
  return { child, said, becomes, lead, dataDir };
}
