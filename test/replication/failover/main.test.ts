import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePorts } from '../../../loadtest/support/free-port.ts';
import type { Leadership } from '../../../src/messages/messages.ts';
import type { ContenderInput } from '../../../src/replication/failover/main.ts';
import { type Condition, s3Environment } from '../../../src/testing/s3-server.ts';
import { monotonicNowMs } from '../../../src/writer-client/protocol.ts';
import { TestChild } from '../../support/child.ts';
import { startS3, startStoreProxy, type TestStore } from '../../support/s3.ts';
import { temporaryFolder, until } from '../../support/system.ts';

/** For those who wait until it has passed; a busy machine may need most of it for a renewal. */
const TTL_MS = 6000;
/** For those who do not: longer than anything is waited for. */
const ENDLESS = { ttlMs: 600_000 };
const HOLD_MS = (TTL_MS * 2) / 3;
const UPLOAD = { database: 'main', generation: 'g', salt: 's', offsetBytes: 1 };

/** On a busy machine a peer may not answer in time, and is asked again. */
function isAnswered({ peer }: Leadership): boolean {
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
function contend(
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

t.test('it says what it is, until when a writer may commit, and which uploads count', async (t) => {
  const store = await startS3(t);
  const { child, said, becomes, lead, dataDir } = contend(t, { store });
  await becomes('restoring');
  const { renewedAtMs, ...told } = said.leadership;
  t.strictSame(told, {
    kind: 'leadership',
    state: 'restoring',
    epoch: 1,
    data: '',
    told: { schema: {} },
  });
  t.ok(Math.abs(Date.now() - (renewedAtMs ?? 0)) < 10_000);
  await lead();
  t.equal(said.leadership.data, 'e000001');
  const leftMs = (said.leadership.commitUntilMonotonicMs ?? 0) - monotonicNowMs();
  t.ok(leftMs > 0 && leftMs <= HOLD_MS, `${leftMs} ms`);
  child.send({ kind: 'uploaded', ...UPLOAD });
  await until(() => said.counted.length === 1, 'an upload that counts');
  t.strictSame(said.counted, [{ kind: 'counted', ...UPLOAD }]);
  const note = join(dataDir, 'run', 'lease-note.json');
  t.equal(JSON.parse(readFileSync(note, 'utf8')).isWhole, true);
  t.equal(statSync(note).mode & 0o077, 0);
});

t.test('killed, another one in its place goes on in its epoch with its session', async (t) => {
  const store = await startS3(t);
  const first = contend(t, { store });
  await first.lead();
  first.child.process.kill('SIGKILL');
  await first.child.exitCode();
  const next = contend(t, { store, dataDir: first.dataDir });
  await next.becomes('leader');
  t.equal(next.said.leadership.epoch, 1);
});

t.test('killed while the store is silent, another one in its place still holds the record', async (t) => {
  const store = await startS3(t);
  const way = await startStoreProxy(t, store);
  const first = contend(t, { store: { ...store, endpoint: way.endpoint } });
  await first.lead();
  await way.become('hang');
  first.child.process.kill('SIGKILL');
  await first.child.exitCode();
  const { dataDir } = first;
  const next = contend(t, {
    store: { ...store, endpoint: way.endpoint },
    dataDir,
    input: { isResumed: true },
  });
  await next.becomes('suspended');
  await way.become('open');
  await next.becomes('leader');
  t.equal(next.said.leadership.epoch, 1);
});

t.test('it waits for a store that is silent when it is started', async (t) => {
  const store = await startS3(t);
  const way = await startStoreProxy(t, store);
  await way.become('hang');
  const { child, becomes } = contend(t, { store: { ...store, endpoint: way.endpoint } });
  t.match((await child.said('progress')).detail, /^it is not known who leads before the store of/);
  await way.become('open');
  await becomes('restoring');
});

t.test('its system started again on the same machine keeps the epoch, and does not wait', async (t) => {
  const store = await startS3(t);
  const first = contend(t, { store, input: ENDLESS });
  await first.lead();
  first.child.process.kill('SIGKILL');
  await first.child.exitCode();
  const next = contend(t, { store, dataDir: first.dataDir, input: { ...ENDLESS, session: 'after' } });
  await next.becomes('leader');
  t.equal(next.said.leadership.epoch, 1);
});

t.test(
  'stopped for longer than it may be, it is fenced, and what it has uploaded never counts',
  async (t) => {
    const store = await startS3(t);
    const leader = contend(t, { store });
    await leader.lead();
    const { commitUntilMonotonicMs = 0 } = leader.said.leadership;
    // Of another machine: nobody there can look whether that process lives.
    const standby = contend(t, { store, input: { pid: 1 } });
    await until(() => standby.said.leadership.holder !== undefined, 'a look at the record');
    leader.child.process.kill('SIGSTOP');
    leader.child.send({ kind: 'uploaded', ...UPLOAD });
    await standby.becomes('restoring');
    t.ok(monotonicNowMs() > commitUntilMonotonicMs, 'its writer had ended before');
    t.equal(standby.said.leadership.epoch, 2);
    leader.child.process.kill('SIGCONT');
    await leader.becomes('fenced');
    t.strictSame(leader.said.counted, []);
  },
);

t.test('what is given away is taken without waiting', async (t) => {
  const store = await startS3(t);
  const leader = contend(t, { store, input: ENDLESS });
  await leader.lead();
  const standby = contend(t, { store });
  await until(() => standby.said.leadership.holder !== undefined, 'a look at the record');
  leader.child.send({ kind: 'release' });
  await leader.becomes('demoted');
  await standby.becomes('restoring');
  t.equal(standby.said.leadership.data, 'e000001');
});

t.test('a store that ignores a condition is refused', async (t) => {
  const evaluated: Record<string, Condition[]> = { 'If-None-Match': [], 'If-Match': ['if-none-match'] };
  for (const [ignored, others] of Object.entries(evaluated)) {
    const store = await startS3(t, 'unconditional', others);
    const { child } = contend(t, { store });
    const { code, message } = await child.said('failed');
    t.equal(code, 'config_invalid');
    t.equal(
      message,
      `The store of s3://unconditional/app ignores ${ignored}, so that of two systems that write at once both would lead. FAILOVER=lease needs another store.`,
    );
  }
});

t.test('each knows how the other one is, and with another secret each says so', async (t) => {
  const store = await startS3(t);
  const [one, other] = await freePorts();
  const peers = (own: number, its: number) => ({
    peerListen: { host: '127.0.0.1', port: own },
    peerUrl: `http://127.0.0.1:${its}`,
  });
  const leader = contend(t, { store, input: peers(one, other), name: 'a' });
  await leader.lead();
  const standby = contend(t, { store, input: peers(other, one), name: 'b' });
  await until(() => leader.said.leadership.peer?.said?.state === 'standby', 'the leader knows the standby');
  await until(() => standby.said.leadership.peer?.said?.state === 'leader', 'and that knows the leader');
  t.equal(leader.said.leadership.peer?.said?.release, 'r');
  t.ok(Math.abs(leader.said.leadership.peer?.clockAheadMs ?? 99_999) < 10_000);
  const stranger = contend(t, { store, input: { peerUrl: `http://127.0.0.1:${one}` }, secret: 'another' });
  await until(() => isAnswered(stranger.said.leadership), 'it has asked');
  t.strictSame(stranger.said.leadership.peer, { problem: 'PEER_SECRET is not the same on both' });
  const namesake = contend(t, { store, input: { peerUrl: `http://127.0.0.1:${one}` }, name: 'a' });
  await until(() => isAnswered(namesake.said.leadership), 'it has asked');
  t.match(
    namesake.said.leadership.peer?.problem,
    /^it is called a as well: NODE_NAME is the same on both, or /,
  );
});

t.test('older code does not take what is given away, and tells why', async (t) => {
  const store = await startS3(t);
  const leader = contend(t, { store });
  await leader.lead();
  leader.child.send({ kind: 'positions', schema: { main: { notes: 99 } }, confirmed: {} });
  leader.child.send({ kind: 'renew' });
  const standby = contend(t, { store });
  await until(() => standby.said.leadership.heldBackBecause !== undefined, 'a look at the record');
  t.match(standby.said.leadership.heldBackBecause, /^its code lacks migration 99 of notes in main/);
  leader.child.send({ kind: 'release' });
  await leader.becomes('demoted');
  leader.child.process.kill('SIGKILL');
  await leader.child.exitCode();
  // Whoever would lead does so at its next look.
  const next = contend(t, { store, dataDir: leader.dataDir, input: { session: 'next' } });
  await until(() => next.said.leadership.heldBackBecause !== undefined, 'a look at the record');
  t.equal(standby.said.leadership.state, 'standby');
});
