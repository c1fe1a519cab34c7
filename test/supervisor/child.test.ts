import { spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import t from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { Child } from '../../src/supervisor/child.ts';
import type { ChildExit } from '../../src/supervisor/child-exit.ts';
import { Limits } from '../../src/supervisor/limits.ts';
import { makeDeployment } from '../support/deployment.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { childOf, INSPECTABLE } from '../support/scripted-child.ts';
import { temporaryFolder } from '../support/system.ts';

t.test(
  'one that the kernel does not end is dead all the same, and its late end changes nothing',
  async (t) => {
    const clock = new ManualClock();
    const { child, forked } = childOf(t, "process.send({ kind: 'ready' });", clock);
    await once(child, 'ready');
    const exits: ChildExit[] = [];
    child.on('exit', (exit) => exits.push(exit));
    // As a process that waits for a device takes no signal.
    const kill = forked.kill.bind(forked);
    forked.kill = () => true;
    child.kill('the test ends it');
    clock.advance(4999);
    t.equal(child.state, 'stopping');
    clock.advance(1);
    t.equal(child.state, 'dead');
    t.strictSame(
      exits.map(({ endedBy }) => endedBy),
      ['us'],
    );
    t.match(exits[0]?.cause, /^the test ends it; .*the kernel has not ended it yet$/);
    const ended = once(forked, 'close');
    kill('SIGKILL');
    await ended;
    t.equal(exits.length, 1);
  },
);

for (const [what, start] of [
  ['emits its error', () => spawn('/nonexistent')],
  [
    'throws it',
    () => {
      throw new Error('spawn EAGAIN');
    },
  ],
] as const) {
  t.test(`one whose spawn fails and ${what} speaks against the machine, not against its code`, async (t) => {
    const child = new Child({
      name: 'worker-1',
      deployment: makeDeployment(),
      spawn: start,
      isToStandBy: false,
      startTimeoutMs: 30_000,
      drainBy: 'message',
      silenceTimeoutMs: 0,
      log: createLog('test', 'silent', 'json'),
    });
    const [exit] = (await once(child, 'exit')) as [ChildExit];
    t.equal(exit.endedBy, 'outside');
    t.match(exit.cause, /^could not be started: spawn \S+/);
  });
}

t.test('one that a limit of the machine has ended is not at fault', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'self'));
  writeFileSync(join(folder, 'self/limits'), 'Max address space         1073741824           unlimited');
  const limits = new Limits({ proc: folder });
  for (const [script, endedBy, cause] of [
    [
      'process.abort();',
      'outside',
      /^killed by SIGABRT: its address space is limited to 1024 MB \(RLIMIT_AS\)/,
    ],
    ["process.send({ kind: 'ready' }, () => process.abort());", 'fault', /^killed by SIGABRT$/],
  ] as const) {
    const { child } = childOf(t, script, undefined, { limits });
    const [exit] = (await once(child, 'exit')) as [ChildExit];
    t.equal(exit.endedBy, endedBy);
    t.match(exit.cause, cause);
  }
});

t.test('what blocks at a start takes the time that it takes, and what comes after it does not', async (t) => {
  const clock = new ManualClock();
  const beat = "{ kind: 'beat', rssBytes: 1, heapUsedBytes: 1, served: 0, deltas: [] }";
  const script = `process.send({ kind: 'progress', detail: 'migrating' });
process.on('message', () => process.send(${beat}));`;
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const { child } = childOf(t, script, clock, { log });
  const said = async (kind: string) => {
    for await (const [message] of on(child, 'message')) if (message.kind === kind) return;
  };
  await said('progress');
  clock.advance(3_600_000);
  t.equal(child.state, 'starting');
  t.strictSame(lines, [
    `worker-1 has been at this for 30000 ms: migrating. It gets the time that it takes; kill -KILL ${child.pid} has it begin anew`,
  ]);
  for (let beats = 0; beats < 2; beats += 1) {
    child.send({ kind: 'hold-commits' });
    await said('beat');
    clock.advance(15_000);
  }
  const [exit] = (await once(child, 'exit')) as [ChildExit];
  t.same([exit.endedBy, exit.cause], ['fault', 'not ready within 30000 ms'], 'no beat gives it more time');
});

const LOOP = 'function loopForEver() { for (;;); }';

t.test('one whose event loop stands still is killed, and its stack is told', async (t) => {
  const lines: { stack?: string[]; childPid?: number }[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const script = `${LOOP}\nprocess.send({ kind: 'ready' });\nsetTimeout(loopForEver, 100);`;
  const options = { fork: INSPECTABLE, silenceTimeoutMs: 300, stackTimeoutMs: 30_000, log };
  const { child, path } = childOf(t, script, undefined, options);
  const [{ code, signal, endedBy, cause, pid }] = (await once(child, 'exit')) as [ChildExit];
  t.same({ code, signal, endedBy }, { code: null, signal: 'SIGKILL', endedBy: 'hang' });
  t.match(cause, /^hung: its event loop stood still for \d+ ms$/);
  t.same(
    lines.map(({ childPid, stack }) => [childPid, stack?.[0]?.replace(/:\d+$/, '')]),
    [[pid, `loopForEver file://${path}:2`]],
  );
});
