import { renderTable, whole } from '../../src/testing/chaos/table.ts';
import type { Command } from '../command.ts';
import { failureComplaints } from '../measurement.ts';
import type { CurveResult } from '../scale/curve.ts';
import { curves } from '../scale/index.ts';

const ROWS_MAX = 10_000_000;

/** Measures how this system behaves as one dimension after the other grows. */
export const scaleCommand: Command = {
  name: 'scale',
  summary: 'curves: what happens as connections, workers, alerts, their size or the cost of an fsync grow',
  details: `Curves:\n${curves.map(({ name, title }) => `  ${name}: ${title}`).join('\n')}`,
  options: {
    seconds: { value: 'N', default: '3', help: 'measured time of a point, after a warm-up of one second' },
    connections: { value: 'N', default: '50', help: 'keep-alive connections, where they are not what grows' },
    workers: { value: 'N', default: '2', help: 'HTTP processes, where they are not what grows' },
    only: { value: 'NAME', multiple: true, help: 'only this curve; may be given again' },
    rows: {
      value: 'N',
      default: '1000000',
      help: `alerts at most, for rows and restart; ${whole(ROWS_MAX)} take minutes and 5 GB of disk`,
    },
  },
  prepare(values) {
    const plan = {
      durationMs: values.whole('seconds', 1, 3600) * 1000,
      connections: values.whole('connections', 1, 2000),
      workers: values.whole('workers', 1, 64),
      rowsMax: values.whole('rows', 1000, ROWS_MAX),
    };
    const names = values.namesOf(
      'only',
      curves.map(({ name }) => name),
      'curve',
    );
    return async (context) => {
      const results: CurveResult[] = [];
      for (const curve of curves.filter(({ name }) => names.includes(name))) {
        results.push(await curve.measure(plan, context));
      }
      const measurements = results.flatMap((result) => result.measurements);
      return {
        text: results.map(curveText).join('\n\n'),
        results: { plan, curves: results.map(({ measurements: _all, ...curve }) => curve) },
        measurements,
        complaints: failureComplaints(measurements),
      };
    };
  },
};

function tableOf({ xLabel, points }: CurveResult): { head: string[]; rows: string[][] } {
  const figures = [...new Set(points.flatMap((point) => Object.keys(point.figures)))];
  return {
    head: [xLabel, ...figures, 'busy, of a core'],
    rows: points.map(({ x, figures: values, busy = '' }) => [
      short(x),
      ...figures.map((name) => short(values[name] ?? Number.NaN)),
      busy,
    ]),
  };
}

function curveText(result: CurveResult): string {
  const { head, rows } = tableOf(result);
  const columns = head.map((title, index) => ({
    title,
    align: index === head.length - 1 ? ('left' as const) : ('right' as const),
    cell: (row: string[]) => row[index]!,
  }));
  return [result.title, renderTable(columns, rows), ...result.remarks].join('\n');
}

function short(value: number): string {
  if (Number.isNaN(value)) return '–';
  return value >= 100 ? whole(value) : value.toFixed(value >= 10 ? 1 : 2);
}
