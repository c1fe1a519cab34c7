import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Measurement } from '../../../loadtest/measurement.ts';
import { like } from '../../support/like.ts';
import { loadtest } from './command-fixture.ts';

t.test('a run under a fault has its marks, and a crossed threshold is told and fails it', async (t) => {
  const folder = t.testdir();
  const [thresholds, json] = ['thresholds.json', 'run.json'].map((name) => join(folder, name));
  writeFileSync(thresholds!, JSON.stringify({ mixed: ['p50 < 0.001 ms'], 'any, with a fault': [] }));
  const end = await loadtest(
    ['--only', 'mixed', '--seconds', '2', '--fault', 'worker-kill@0.5', '--thresholds', thresholds!].concat([
      '--json',
      json!,
    ]),
  );
  like(t, end, { code: 1, stderr: /^FAILED: mixed: p50 was [\d.]+ ms; it must be below 0\.001 ms$/m });
  const { measurements } = JSON.parse(readFileSync(json!, 'utf8')) as { measurements: Measurement[] };
  const [{ marks, processes, statuses, intervals }] = measurements as [Measurement];
  like(
    t,
    marks.map(({ text }) => text),
    [
      'injected: worker-kill',
      /^worker-1: crash \(killed by SIGKILL\)/,
      /^worker-1: restart \(runs again as \d+, \d+ ms after \d+ was killed by SIGKILL\)$/,
    ],
  );
  t.ok(statuses[200]! > statuses[201]! && statuses[201]! > 0, 'it read and wrote');
  t.ok(intervals.length >= 8, 'four a second');
  const names = new Set(processes.map(({ name }) => name));
  for (const name of ['primary', 'worker-2', 'writer', 'litestream', 'load generator'])
    t.ok(names.has(name), name);
});
