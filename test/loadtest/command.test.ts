import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { commands } from '../../loadtest/commands/index.ts';
import type { Measurement } from '../../loadtest/measurement.ts';
import { UsageError, Values } from '../../loadtest/options.ts';
import { COMMON_OPTIONS } from '../../loadtest/usage.ts';
import { like } from '../support/like.ts';

const MAIN = new URL('../../loadtest/main.ts', import.meta.url).pathname;

interface End {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function loadtest(args: string[]): Promise<End> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

/** Reads a command line as far as it goes before anything starts. */
function prepare(name: string, ...args: string[]): void {
  const command = commands.find((candidate) => candidate.name === name)!;
  command.prepare(new Values(args, { ...command.options, ...COMMON_OPTIONS }));
}

t.test('a wrong command line starts nothing and says what is wrong', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['run', '--only', 'no-such-scenario'], /There is no scenario no-such-scenario\. There are read, write/],
    [['run', '--seconds', '0'], /--seconds: expected a whole number from 1/],
    [['run', '--url', 'http://192.0.2.1:8080'], /not on this machine; --allow-remote/],
    [['run', '--url', 'http://127.0.0.1.example.org'], /not on this machine; --allow-remote/],
    [['run', '--url', 'ftp://127.0.0.1'], /expected an http:\/\//],
    [['run', '--url', 'http://127.0.0.1:1', '--reload'], /need a system of their own/],
    [['run', '--fault', 'earthquake'], /expected one of worker-kill, writer-kill, litestream-kill, reload/],
    [['run', '--thresholds', '/no/such/file'], /--thresholds: \/no\/such\/file/],
    [['soak', '--minutes', '1.5'], /--minutes: expected a whole number/],
    [['ramp', '--by', 'magic'], /--by: expected connections or rate/],
    [['scale', '--only', 'no-such-curve'], /There is no curve no-such-curve/],
    [['compare', '--generator', 'ab'], /--generator: expected wrk or autocannon, not ab/],
    [['compare', '--minutes', '3'], /Unknown option '--minutes'/],
  ];
  for (const [[name, ...args], says] of wrong) {
    t.throws(() => prepare(name!, ...args), { name: 'Error', message: says, constructor: UsageError });
  }
  t.doesNotThrow(() => prepare('run', '--url', 'http://192.0.2.1:8080', '--allow-remote'));
  t.doesNotThrow(() =>
    prepare('run', '--only', 'read,write', '--only', 'list', '--fault', 'writer-kill@1.5'),
  );
  like(t, await loadtest(['no-such-command']), {
    code: 64,
    stderr: /There is no command no-such/,
    stdout: '',
  });
});

t.test('the help tells every command, and after a command its options', async (t) => {
  const [all, one] = await Promise.all([loadtest(['--help']), loadtest(['soak', '-h'])]);
  for (const { name, summary } of commands) t.ok(all.stdout.includes(summary), name);
  like(t, one, { code: 0, stdout: /--minutes N .*\(default 10\)/ });
});

t.test('a run under a fault has its marks, and a crossed threshold is told and fails it', async (t) => {
  const folder = t.testdir();
  const [thresholds, json, report] = ['thresholds.json', 'run.json', 'run.html'].map((name) =>
    join(folder, name),
  );
  writeFileSync(thresholds!, JSON.stringify({ mixed: ['p50 < 0.001 ms'], 'any, with a fault': [] }));
  const end = await loadtest(
    ['--only', 'mixed', '--seconds', '2', '--fault', 'worker-kill@0.5', '--thresholds', thresholds!].concat([
      '--json',
      json!,
      '--report',
      report!,
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
  t.match(readFileSync(report!, 'utf8'), /injected: worker-kill/);
});
