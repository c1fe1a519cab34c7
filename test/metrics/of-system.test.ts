import t from 'tap';
import type { SystemSnapshot } from '../../src/messages/snapshot.ts';
import { describeSystem } from '../../src/metrics/of-system.ts';

t.test('several reasons of one name are one series', async (t) => {
  const degraded = ['replica', 'replication', 'replica'].map((name) => ({ name, reason: 'any' }));
  const snapshot = {
    status: { ready: true, notReady: [], degraded },
    releases: { primary: { hash: '' } },
    children: [],
    replication: { databases: {} },
    lastDrill: null,
    failover: null,
    storage: {},
    listener: {},
  } as unknown as SystemSnapshot;
  const metric = describeSystem(snapshot).find(({ name }) => name === 'degraded');
  t.strictSame(metric?.values, [
    { labels: { name: 'replica' }, value: 1 },
    { labels: { name: 'replication' }, value: 1 },
  ]);
});
