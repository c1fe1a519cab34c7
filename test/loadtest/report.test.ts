import t from 'tap';
import { describeMachine } from '../../loadtest/machine.ts';
import { measurementSection } from '../../loadtest/report/measurement-section.ts';
import { renderReport } from '../../loadtest/report/render.ts';
import type { Chart } from '../../loadtest/report/section.ts';
import { like } from '../support/like.ts';
import { measurementOf } from './measurement.ts';

const HOSTILE = '</script><img src=x onerror=alert(1)>';

function render() {
  const marks = [{ atMs: 250, text: `worker-1: crash ${HOSTILE}` }];
  return renderReport({
    title: 'a title',
    command: `npm run loadtest -- ${HOSTILE}`,
    machine: describeMachine(),
    warnings: ['NOISY'],
    complaints: ['read: p99 was 10 ms'],
    sections: [measurementSection(measurementOf({ marks }))],
  });
}

t.test('the page says what was run, where, what came of it, and what happened meanwhile', async (t) => {
  const page = render();
  for (const text of [
    'a title',
    'NOISY',
    'read: p99 was 10 ms',
    '1,000',
    'worker-1: crash',
    process.version,
  ]) {
    t.ok(page.includes(text), text);
  }
  for (const title of ['Throughput', 'Latency', 'Latency by percentile', 'Processor', 'Memory']) {
    t.ok(page.includes(`<figcaption>${title}</figcaption>`), title);
  }
});

t.test('the page needs nothing else, and what it shows cannot become a part of it', async (t) => {
  const page = render();
  t.notMatch(page, /<(?:script|link|img|iframe)[^>]*(?:src|href)=/i);
  t.notMatch(page, /url\(|@import/i);
  t.equal(page.split('</script>').length - 1, 2, 'only its own scripts end');
});

t.test('the charts hold the intervals, failures too, with the marks in those over time', async (t) => {
  const [charts] = /const CHARTS = (.*);\n/.exec(render())!.slice(1);
  const [throughput, , failures, percentiles, processor] = JSON.parse(charts!) as (Chart & {
    data: unknown;
    labels: unknown;
  })[];
  like(t, throughput, {
    labels: ['answered/s'],
    marks: [0.25],
    data: [
      [0.25, 0.75],
      [1000, 1000],
    ],
  });
  like(t, failures, {
    title: 'Failed requests',
    marks: [0.25],
    data: [
      [0.25, 0.75],
      [0, 7],
    ],
  });
  like(t, percentiles, {
    marks: [],
    data: [
      [0, 2],
      [1, 10],
    ],
  });
  like(t, processor, { labels: ['worker-1'], data: [[0.5], [95]] });
});
