import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Condition } from '../../../src/testing/s3-server.ts';
import { monotonicNowMs } from '../../../src/writer-client/protocol.ts';
import { startS3, startStoreProxy } from '../../support/s3.ts';
import { until } from '../../support/system.ts';
import { contend, ENDLESS, HOLD_MS, UPLOAD } from './main-fixture.ts';

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

t.test('asked to look at its peer it says when that is done, and it says so of nothing else', async (t) => {
  const store = await startS3(t);
  const { child, said, becomes } = contend(t, { store, input: { peerUrl: 'http://127.0.0.1:1' } });
  const done: unknown[] = [];
  child.process.on('message', (message: { kind: string }) => {
    if (message.kind === 'peer-asked') done.push(message);
  });
  await becomes('restoring');
  child.send({ kind: 'databases-restored' });
  await becomes('uploading');
  await until(() => said.leadership.peer !== undefined, 'it has asked by itself');
  t.strictSame(done, []);
  child.send({ kind: 'ask-peer' });
  await until(() => done.length === 1, 'it has asked');
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
