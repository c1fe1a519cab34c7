import t from 'tap';
import { describeEvent } from '../../src/cli/event-view.ts';
import type { ChildExit } from '../../src/supervisor/child-exit.ts';
import { PROCESSES } from '../../src/supervisor/processes.ts';
import { factoryOf } from '../support/process-factory.ts';

const WORKER = { ...PROCESSES.worker, appEntry: 'test/support/failing-child.ts' };

t.test('whatever ends a process by its own code has a name', async (t) => {
  const { factory, deployment } = factoryOf(t);
  for (const [input, cause] of [
    ['throw null', /^exited with code 70: its code threw null, which is no error$/],
    ['throw a text', /^exited with code 70: its code threw 'a text', which is no error$/],
    ['throw an error', /^exited with code 70: TypeError: an error \(.*failing-child\.ts:\d+:\d+\)+$/],
    ['throw in a copy', /^exited with code 70: TypeError: an error \(run \(src\/a\.ts:1:2\)\)$/],
    ['reject undefined', /^exited with code 70: .*reason "undefined"/],
    ['exit 0', /^exited by itself with code 0: process\.exit was called in its code$/],
    ['exit 3', /^exited by itself with code 3, without saying why$/],
  ] as const) {
    const child = factory.child(WORKER, { name: 'worker-1', deployment, input });
    const exit = await new Promise<ChildExit>((resolve) => child.once('exit', resolve));
    t.equal(exit.endedBy, 'fault', input);
    t.match(exit.cause, cause);
  }
});

t.test('the events of a restart and of an exchange say what became of which process', async (t) => {
  const { factory, events, deployment } = factoryOf(t);
  const slot = factory.slot(WORKER, { name: 'worker-1', deployment }, (from) =>
    factory.child(WORKER, { name: 'worker-1', deployment: from, input: 'nothing' }),
  );
  slot.start();
  t.equal(slot.trouble, undefined, 'that it comes up for the first time is none');
  await slot.ready();
  const first = slot.child?.pid;
  const restarted = new Promise((resolve) => slot.once('restarted', resolve));
  process.kill(Number(first), 'SIGKILL');
  await restarted;
  const second = slot.child?.pid;
  const old = await slot.replace({ cause: 'the test' });
  const third = slot.child?.pid;
  old?.kill('the test');
  slot.child?.kill('the test');
  await slot.stop(1000, 'the test');
  const [crash, restart, replace] = events.newest(3).map((event) => describeEvent(event));
  t.match(crash, new RegExp(` crash +worker-1 ${first}: killed by SIGKILL$`));
  t.match(
    restart,
    new RegExp(` restart +worker-1 runs again as ${second}, \\d+ ms after ${first} was killed by SIGKILL$`),
  );
  t.match(replace, new RegExp(` replace +worker-1 runs as ${third} in place of ${second}: the test$`));
});
