import t from 'tap';
import { boundsOf } from '../../src/metrics/catalog.ts';
import { History } from '../../src/metrics/history.ts';
import { Meter } from '../../src/metrics/meter.ts';
import { Totals } from '../../src/metrics/totals.ts';

const NAME = 'http_request_duration_seconds';
const LABELS = { method: 'GET', route: '/note', status: '200' };

t.test('what a process has told stays counted when it dies and another counts on', async (t) => {
  const totals = new Totals();
  for (const process of ['first', 'second']) {
    const meter = new Meter();
    const latency = meter.histogram(NAME, LABELS);
    latency.observe(0.0005);
    latency.observe(0.3);
    totals.add(process, meter.take());
    t.same(meter.take(), [], 'what has been told is not told again');
    latency.observe(1000);
    totals.add(process, meter.take());
    totals.forget(process);
  }
  const [series] = totals.series();
  const bounds = boundsOf(NAME);
  t.equal(series?.counts?.[bounds.indexOf(0.0005)], 2, 'a bound belongs to its bucket');
  t.equal(series?.counts?.[bounds.indexOf(0.5)], 2);
  t.equal(series?.counts?.[bounds.length], 2, 'beyond the last bound');
  t.equal(series?.value, 2 * (0.0005 + 0.3 + 1000));
});

t.test('a gauge goes with its process, and a counter tells only what has come', async (t) => {
  const totals = new Totals();
  const meter = new Meter();
  let cpuS = 1.5;
  meter.counter('process_cpu_seconds_total', {}, () => cpuS);
  meter.gauge('writer_queue_operations', { database: 'main' }, () => 7);
  totals.add('writer', meter.take());
  cpuS = 2;
  totals.add('writer', meter.take());
  const values = () => totals.series().map(({ name, value }) => [name, value]);
  t.same(values(), [
    ['process_cpu_seconds_total', 2],
    ['writer_queue_operations', 7],
  ]);
  totals.forget('writer');
  t.same(values(), [['process_cpu_seconds_total', 2]]);
});

t.test('a sample tells what came since the last look', async (t) => {
  const totals = new Totals();
  const meter = new Meter();
  const latency = meter.histogram(NAME, LABELS);
  const failed = meter.histogram(NAME, { ...LABELS, status: '503' });
  const batches = meter.histogram('writer_batch_operations', { database: 'main' });
  const history = new History();
  latency.observe(5);
  totals.add('worker', meter.take());
  history.look(totals.series(), 0, 10_000);
  t.same(history.samples, [], 'there is nothing to compare with yet');

  for (let n = 0; n < 98; n += 1) latency.observe(0.002);
  failed.observe(0.2);
  failed.observe(0.2);
  batches.observe(3);
  batches.observe(5);
  totals.add('worker', meter.take());
  history.look(totals.series(), 40, 12_000);
  history.look(totals.series(), 0, 13_000);
  t.same(history.samples, [
    {
      atMs: 12_000,
      requestsPerS: 50,
      errorsPerS: 1,
      p50Ms: 2.5,
      p99Ms: 250,
      writesPerS: 4,
      batchOperations: 4,
      lagMs: 40,
    },
    {
      atMs: 13_000,
      requestsPerS: 0,
      errorsPerS: 0,
      p50Ms: null,
      p99Ms: null,
      writesPerS: 0,
      batchOperations: null,
      lagMs: 0,
    },
  ]);
});
