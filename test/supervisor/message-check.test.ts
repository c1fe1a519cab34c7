import t, { type Test } from 'tap';
import type { ToPrimary } from '../../src/messages/messages.ts';
import type { Child } from '../../src/supervisor/child.ts';
import type { ChildExit } from '../../src/supervisor/child-exit.ts';
import { checkedMessage } from '../../src/supervisor/message-check.ts';
import { PROCESSES } from '../../src/supervisor/processes.ts';
import { factoryOf } from '../support/process-factory.ts';
import type { SendingInput } from '../support/sending-child.ts';

const WORKER = { ...PROCESSES.worker, appEntry: 'test/support/sending-child.ts' };
const BEAT = { kind: 'beat', rssBytes: 1, heapUsedBytes: 1, served: 1, deltas: [] };
const FLOOD_COUNT = 100_000;
const BIG_TEXT = 'x'.repeat(10 * 1024 * 1024);

/** Real children of a real factory, which the telemetry hears. */
function childrenOf(t: Test): (input: SendingInput) => Child {
  const { factory, deployment } = factoryOf(t);
  return (input) => {
    const child = factory.child(WORKER, { name: 'worker-1', deployment, input });
    t.teardown(async () => {
      child.kill('the test is over');
      await child.ended();
    });
    return child;
  };
}

async function exitOf(child: Child): Promise<ChildExit> {
  return new Promise((resolve) => child.once('exit', resolve));
}

t.test('a child that sends what is no message is at fault, and nobody else is harmed', async (t) => {
  const make = childrenOf(t);
  const inputs: readonly SendingInput[] = [
    { values: [null] },
    { values: [7] },
    { values: [{ kind: 'beat' }] },
    { values: [], paddingChars: BIG_TEXT.length },
  ];
  for (const input of inputs) {
    const { endedBy, cause } = await exitOf(make(input));
    t.same({ endedBy, cause }, { endedBy: 'fault', cause: 'it sent what is no message' });
  }
});

t.test('a child that floods is at fault, and what it sends beyond is not heard', async (t) => {
  const child = childrenOf(t)({ values: [BEAT], count: FLOOD_COUNT });
  let heard = 0;
  child.on('message', () => {
    heard += 1;
  });
  const { endedBy, cause } = await exitOf(child);
  t.same({ endedBy, cause }, { endedBy: 'fault', cause: 'it sent more than 10000 messages in 1000 ms' });
  t.ok(heard < FLOOD_COUNT, `${heard} of ${FLOOD_COUNT} were heard`);
});

t.test('messages of others, of unknown numbers and of unknown series end nobody', async (t) => {
  const child = childrenOf(t)({
    values: [
      { kind: 'accepted', id: 99 },
      { kind: 'drained' },
      { kind: 'lag', reports: {} },
      { ...BEAT, deltas: [{ name: 'from_the_future', labels: {}, add: 1 }] },
      { ...BEAT, deltas: [{ name: 'writer_batch_operations', labels: {}, counts: [1], sum: 1 }] },
      { kind: 'ask', id: 5, question: 'history' },
      { kind: 'progress', detail: 'the last one' },
    ],
  });
  await new Promise<void>((resolve) => {
    child.on('message', ({ kind }) => {
      if (kind === 'progress') resolve();
    });
  });
  t.equal(child.state, 'ready');
});

const REPORT = { lagMs: 0, unconfirmedBytes: 0, unconfirmedCommits: 0, lastCommit: { ordinal: 1, atMs: 2 } };
const DRILLED = { ok: true, durationMs: 1, restoredBytes: 1, rowsCompared: 1, rowsSkipped: 0 };
const RESULT = { ...DRILLED, at: '2026-01-02T03:04:05.678Z', databases: { main: DRILLED } };

t.test('each kind of message is let through as it is', async (t) => {
  const messages: readonly ToPrimary[] = [
    { kind: 'ready' },
    { kind: 'ready', schema: { main: { alerts: 7 } } },
    { kind: 'ownership', state: 'held' },
    { kind: 'ownership', state: 'lost', epochs: ['e000001'] },
    { kind: 'leadership', state: 'leader', epoch: 1, data: 'e000001', commitUntilMonotonicMs: 1.5 },
    { kind: 'leadership', state: 'standby', holder: 'x', reason: 'x' },
    { kind: 'counted', database: 'main', generation: 'x', salt: 'x', offsetBytes: 1 },
    { kind: 'ownership', state: 'waiting', reason: 'x', isToServe: true },
    { kind: 'standby' },
    { kind: 'progress', detail: 'x' },
    { ...BEAT, kind: 'beat', deltas: [{ name: 'events_total', labels: { kind: 'x' }, add: 1 }] },
    { kind: 'ask', id: 1, question: 'system' },
    { kind: 'accepted', id: 1 },
    { kind: 'lag', reports: { main: { ...REPORT, confirmed: undefined } }, readOnlyBecause: 'full' },
    { kind: 'report', gauges: { due: 1 }, trouble: undefined },
    { kind: 'drained' },
    { kind: 'drilled', result: { ...RESULT, reason: undefined, databases: {} } },
    {
      kind: 'dry-run',
      result: { main: { applied: [{ owner: 'a', name: '1', isCompatible: true }], durationMs: 1 } },
    },
    { kind: 'restored', database: 'main', loss: 'none' },
    { kind: 'damaged', reason: 'x' },
    { kind: 'failed', code: 'internal', message: 'x' },
  ];
  for (const message of messages) t.equal(checkedMessage(message), message, message.kind);
});

t.test('a field that is missing, of another type, or no number makes it no message', async (t) => {
  const wrong: readonly unknown[] = [
    undefined,
    [],
    'ready',
    {},
    { kind: 'constructor' },
    { kind: 'replicated', database: 'main' },
    { ...BEAT, rssBytes: null },
    { ...BEAT, served: '1' },
    { ...BEAT, deltas: {} },
    { ...BEAT, deltas: [null] },
    { ...BEAT, deltas: [{ name: 'events_total', labels: { kind: 1 }, add: 1 }] },
    { ...BEAT, heapUsedBytes: Number.NaN },
    { kind: 'accepted', id: 1.5 },
    { kind: 'ask', id: 1, question: 'everything' },
    { kind: 'ready', schema: { main: 7 } },
    { kind: 'ownership', state: 'x' },
    { kind: 'ownership', state: 'lost', epochs: 'x' },
    { kind: 'leadership', state: 'leader', epoch: 1.5 },
    { kind: 'leadership', state: 'leader', commitUntilMonotonicMs: 'x' },
    { kind: 'counted', database: 'main', generation: 'x', salt: 'x', offsetBytes: 'x' },
    { kind: 'ownership', state: 'waiting', isToServe: 'x' },
    { kind: 'lag' },
    { kind: 'lag', reports: { main: {} } },
    { kind: 'lag', reports: { main: { ...REPORT, confirmed: {} } } },
    { kind: 'report', gauges: { due: 'many' } },
    { kind: 'drilled', result: { ...RESULT, at: 'yesterday' } },
    { kind: 'drilled', result: { ...RESULT, databases: { main: null } } },
    { kind: 'failed', code: 'internal' },
    { kind: 'damaged', reason: BIG_TEXT },
  ];
  for (const value of wrong) t.equal(checkedMessage(value), undefined, JSON.stringify(value)?.slice(0, 80));
});
