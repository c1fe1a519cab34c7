import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import t from 'tap';
import type { Series } from '../../src/messages/series.ts';
import { boundsOf } from '../../src/metrics/catalog.ts';
import { countedIn, spell } from '../../src/metrics/exposition.ts';

/** What a text format has to escape. */
const ODD = 'a "b" \\ c\nd';

t.test('metrics are spelled as the library spells its own, by what it documents', async (t) => {
  const name = 'writer_batch_operations';
  const bounds = boundsOf(name);
  const counts = [...bounds.map((_, index) => (index === 1 ? 3 : 0)), 2];
  const series: Series[] = [
    { name, labels: { database: ODD }, value: 2006, counts },
    { name: 'events_total', labels: { kind: ODD }, value: 7, counts: null },
    { name: 'events_total', labels: { kind: 'crash' }, value: 1, counts: null },
  ];
  const found = await spell([
    {
      name: 'ready',
      type: 'gauge',
      help: ODD,
      values: [
        { labels: {}, value: 0.5 },
        { labels: { a: 'b', c: ODD }, value: -1 },
      ],
    },
    { name: 'none', type: 'gauge', help: 'No value.', values: [] },
    ...countedIn(series),
  ]);

  const registry = new Registry();
  const common = { registers: [registry] };
  const gauge = new Gauge({ ...common, name: 'ninelives_ready', help: ODD, labelNames: ['a', 'c'] });
  gauge.set(0.5);
  gauge.set({ a: 'b', c: ODD }, -1);
  const histogram = new Histogram({
    ...common,
    name: `ninelives_${name}`,
    help: 'Operations that shared one commit.',
    labelNames: ['database'],
    buckets: [...bounds],
  });
  for (const value of [2, 2, 2, 1000, 1000]) histogram.observe({ database: ODD }, value);
  const counter = new Counter({
    ...common,
    name: 'ninelives_events_total',
    help: 'What happened, by kind: crash, restart, reload, stall, heal, …',
    labelNames: ['kind'],
  });
  counter.inc({ kind: ODD }, 7);
  counter.inc({ kind: 'crash' });
  // In which order labels stand means nothing.
  const expected = (await registry.metrics()).replace(/\{(le="[^"]+"),(.*)\} /g, '{$2,$1} ');
  t.equal(found, expected);
});
