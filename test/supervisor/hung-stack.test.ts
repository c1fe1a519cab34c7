import { once } from 'node:events';
import { existsSync } from 'node:fs';
import t from 'tap';
import { stackOfHung } from '../../src/supervisor/hung-stack.ts';
import { until } from '../../src/testing/wait.ts';
import { forkScript, INSPECTABLE } from '../support/scripted-child.ts';

const HANG = `
function outer() { inner(); }
function inner() { for (;;); }
process.send('about to');
setImmediate(outer);`;

t.test('a process that hangs tells its stack, innermost first', async (t) => {
  const { forked, path } = forkScript(t, HANG, INSPECTABLE);
  await once(forked, 'message');
  const stack = await stackOfHung(forked, 30_000);
  t.match(stack[0], new RegExp(`^inner file://${path}:4:\\d+$`));
  t.match(stack[1], new RegExp(`^outer file://${path}:3:\\d+$`));
});

t.test('its inspector tells no other user of the machine how to enter', async (t) => {
  const { forked } = forkScript(t, "process.send('up');\nsetInterval(() => {}, 1000);", INSPECTABLE);
  await once(forked, 'message');
  forked.kill('SIGUSR1');
  let said = '';
  forked.stderr?.on('data', (text) => (said += text));
  while (!/ws:\S+\n/.test(said)) await once(forked.stderr!, 'data');
  const [, port, session] = /ws:\/\/127\.0\.0\.1:(\d+)\/(\S+)/.exec(said)!;
  const answers = await Promise.all(
    ['/json', '/json/list'].map(async (path) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return answer.text();
    }),
  );
  t.notOk(answers.some((text) => text.includes(session!)));
});

for (const [what, script, stop] of [
  ['is stopped', 'setInterval(() => {}, 1000);', 'SIGSTOP'],
  // The call itself makes what is waited for.
  [
    'hangs in a native call',
    "setImmediate(() => require('node:child_process').execSync('touch ' + __filename + '.called; sleep 3'));",
  ],
  ['keeps the signal', "process.on('SIGUSR1', () => {});"],
  [
    'names a place elsewhere',
    "process.on('SIGUSR1', () => console.error('Debugger listening on ws://192.0.2.1:1/a'));",
  ],
  [
    'names what is no inspector',
    `const server = require('node:http').createServer().listen(0, '127.0.0.1');
    const tell = () => console.error('Debugger listening on ws://127.0.0.1:' + server.address().port + '/a');
    process.on('SIGUSR1', () => (server.listening ? tell() : server.once('listening', tell)));`,
  ],
] as const) {
  t.test(`one that ${what} tells none, and keeps nobody waiting`, async (t) => {
    const { forked, path } = forkScript(t, `${script}\nprocess.send('up');`, INSPECTABLE);
    await once(forked, 'message');
    if (script.includes('.called')) await until(() => existsSync(`${path}.called`), 'it is called');
    if (stop) forked.kill(stop);
    const startMs = performance.now();
    const [told, ...more] = await stackOfHung(forked, 500);
    t.match(told, /^\(no stack: /);
    t.same(more, []);
    t.ok(performance.now() - startMs < 2000);
  });
}
