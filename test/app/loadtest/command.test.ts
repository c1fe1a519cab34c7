import t from 'tap';
import { commands } from '../../../loadtest/commands/index.ts';
import { COMMON_OPTIONS } from '../../../loadtest/usage.ts';
import { UsageError, Values } from '../../../src/testing/chaos/values.ts';
import { like } from '../../support/like.ts';
import { loadtest } from './command-fixture.ts';

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
