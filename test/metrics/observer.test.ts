import t from 'tap';
import { type Families, LATENCY_BOUNDS_S } from '../../src/metrics/catalog.ts';
import { Meter } from '../../src/metrics/meter.ts';
import { Observer } from '../../src/metrics/observer.ts';

const FAMILIES: Families = {
  kept_total: { type: 'counter', help: 'Kept.', labels: ['kind', 'how'] },
  waiting: { type: 'gauge', help: 'Waits.', labels: [] },
  wait_seconds: { type: 'histogram', help: 'Waited.', labels: [] },
  sizes: { type: 'histogram', help: 'Sizes.', labels: [], bounds: [1, 10] },
};

function make() {
  const meter = new Meter();
  const observer = new Observer(meter, FAMILIES);
  return { meter, observe: observer.observe as (name: string, value: number, labels?: object) => void };
}

function refusalOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    return error instanceof TypeError ? error.message : String(error);
  }
  return '';
}

t.test('what is declared is counted by its kind, one series a set of labels', async (t) => {
  const { meter, observe } = make();
  observe('kept_total', 1, { kind: 'a', how: 'x' });
  observe('kept_total', 2, { how: 'x', kind: 'a' });
  observe('kept_total', 5, { kind: 'b', how: 'x' });
  observe('waiting', 7);
  observe('waiting', 3);
  observe('sizes', 10);
  observe('sizes', 11);
  observe('wait_seconds', 1000);
  t.strictSame(meter.take(), [
    { name: 'kept_total', labels: { kind: 'a', how: 'x' }, add: 3 },
    { name: 'kept_total', labels: { kind: 'b', how: 'x' }, add: 5 },
    { name: 'waiting', labels: {}, is: 3 },
    { name: 'sizes', labels: {}, counts: [0, 1, 1], sum: 21 },
    { name: 'wait_seconds', labels: {}, counts: [...LATENCY_BOUNDS_S.map(() => 0), 1], sum: 1000 },
  ]);
  t.strictSame(meter.take(), [{ name: 'waiting', labels: {}, is: 3 }], 'a gauge is told again');
});

t.test('what is not declared so is refused', async (t) => {
  const { meter, observe } = make();
  t.equal(
    refusalOf(() => observe('other_total', 1)),
    'No feature declares a metric other_total',
  );
  t.equal(
    refusalOf(() => observe('constructor', 1)),
    'No feature declares a metric constructor',
  );
  t.equal(
    refusalOf(() => observe('waiting', Number.NaN)),
    'The metric waiting cannot take NaN',
  );
  t.equal(
    refusalOf(() => observe('kept_total', -1, { kind: 'a', how: 'x' })),
    'The metric kept_total cannot take -1',
  );
  for (const labels of [
    undefined,
    { kind: 'a' },
    { kind: 'a', how: 'x', more: 'y' },
    { kind: 1, how: 'x' },
  ]) {
    t.equal(
      refusalOf(() => observe('kept_total', 1, labels)),
      'The metric kept_total takes the labels kind, how, as text',
    );
  }
  t.equal(
    refusalOf(() => observe('waiting', 1, { kind: 'a' })),
    'The metric waiting takes the labels (none), as text',
  );
  t.strictSame(meter.take(), []);
});

t.test('labels that are made up without end are cut, in length and in number', async (t) => {
  const { meter, observe } = make();
  for (let n = 0; n < 1500; n += 1) observe('kept_total', 1, { kind: String(n), how: 'x' });
  observe('kept_total', 1, { kind: '3', how: 'x' });
  const deltas = meter.take();
  t.equal(deltas.length, 1000);
  t.strictSame(deltas[3], { name: 'kept_total', labels: { kind: '3', how: 'x' }, add: 2 }, 'the first go on');

  const other = make();
  other.observe('kept_total', 1, { kind: 'é'.repeat(300), how: 'x' });
  t.equal(other.meter.take()[0]?.labels.kind, 'é'.repeat(100));
});
