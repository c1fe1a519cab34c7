import { milliseconds, whole } from '../../src/testing/chaos/table.ts';
import { failedPercent, type Measurement } from '../measurement.ts';
import { loadInWords } from '../run.ts';
import { scenarioOf } from '../scenarios.ts';
import type { Chart, Section, Series } from './section.ts';

const MB = 1024 * 1024;
const SECONDS = { label: 'seconds' } as const;

/** @returns what a report shows of one run of a scenario */
export function measurementSection(measurement: Measurement): Section {
  const { scenario, latencyMs, requestsPerSecond, load, marks } = measurement;
  return {
    title: `${scenario}: ${scenarioOf(scenario).title}`,
    figures: [
      ['load', loadInWords(load)],
      ['requests/s', whole(requestsPerSecond)],
      ['p50', `${milliseconds(latencyMs.p50)} ms`],
      ['p99', `${milliseconds(latencyMs.p99)} ms`],
      ['p99.9', `${milliseconds(latencyMs.p999)} ms`],
      ['max', `${milliseconds(latencyMs.max)} ms`],
      ['failed', `${failedPercent(measurement).toFixed(3)} %`],
    ],
    marks,
    charts: [
      throughput(measurement),
      latency(measurement),
      failures(measurement),
      percentiles(measurement),
      processes(measurement, 'Processor', '% of a core', ({ cpuPercent }) => cpuPercent),
      processes(measurement, 'Memory', 'MB resident', ({ rssBytes }) => rssBytes / MB),
    ].filter(({ series }) => series.length > 0),
  };
}

function throughput({ intervals, durationMs }: Measurement): Chart {
  const widthMs = intervals.length > 1 ? intervals[1]!.atMs - intervals[0]!.atMs : durationMs;
  const perSecond = (count: number) => (count * 1000) / widthMs;
  return {
    title: 'Throughput',
    x: SECONDS,
    y: { label: 'requests/s' },
    series: [
      {
        label: 'answered/s',
        points: intervals.map((interval) => [middle(interval.atMs, widthMs), perSecond(interval.requests)]),
      },
    ],
    hasMarks: true,
  };
}

/** Apart from the throughput, beside which few would not be seen. */
function failures({ intervals, durationMs }: Measurement): Chart {
  const widthMs = intervals.length > 1 ? intervals[1]!.atMs - intervals[0]!.atMs : durationMs;
  const failed: Series = {
    label: 'failed, as far as it is known when',
    points: intervals.map((interval) => [middle(interval.atMs, widthMs), interval.failed]),
  };
  return {
    title: 'Failed requests',
    x: SECONDS,
    y: { label: 'in an interval' },
    series: failed.points.some(([, count]) => count > 0) ? [failed] : [],
    hasMarks: true,
  };
}

function latency({ intervals, durationMs }: Measurement): Chart {
  const widthMs = intervals.length > 1 ? intervals[1]!.atMs - intervals[0]!.atMs : durationMs;
  // An interval without an answer has no latency, and a logarithm no zero.
  const answered = intervals.filter(({ requests }) => requests > 0);
  return {
    title: 'Latency',
    x: SECONDS,
    y: { label: 'ms', scale: 'log' },
    series: [
      { label: 'p50', points: answered.map(({ atMs, p50Ms }) => [middle(atMs, widthMs), p50Ms]) },
      { label: 'p99', points: answered.map(({ atMs, p99Ms }) => [middle(atMs, widthMs), p99Ms]) },
    ],
    hasMarks: true,
  };
}

function percentiles({ percentiles: curve }: Measurement): Chart {
  return {
    title: 'Latency by percentile',
    x: { label: 'of the requests', scale: 'nines' },
    y: { label: 'ms', scale: 'log' },
    series: [
      {
        label: 'at most',
        points: curve.map(({ percent, ms }) => [Math.log10(100 / (100 - percent)), ms]),
      },
    ],
  };
}

function processes(
  { processes: samples }: Measurement,
  title: string,
  unit: string,
  value: (sample: Measurement['processes'][number]) => number,
): Chart {
  const names = [...new Set(samples.map(({ name }) => name))].sort();
  return {
    title,
    x: SECONDS,
    y: { label: unit },
    series: names.map((name) => ({
      label: name,
      points: samples
        .filter((sample) => sample.name === name)
        .map((sample) => [sample.atMs / 1000, value(sample)]),
    })),
    hasMarks: true,
  };
}

function middle(atMs: number, widthMs: number): number {
  return (atMs + widthMs / 2) / 1000;
}
