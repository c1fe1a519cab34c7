import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLog } from '../../src/log.ts';
import { Child } from '../../src/primary/child.ts';
import { Spare } from '../../src/primary/spare.ts';
import { temporaryFolder } from '../support/system.ts';

/** A worker that has loaded when it is told a status, so that the test decides when. */
const WORKER = `
process.on('message', ({ kind, name }) => {
  if (kind === 'status') process.send({ kind: 'standby' });
  if (kind === 'activate') process.send({ kind: 'ready' });
});
process.on('disconnect', () => process.exit());
`;
const STATUS = { kind: 'status', status: { ready: false, notReady: [], degraded: [] } } as const;

/** A reserve whose workers are real processes, and those that it has made so far. */
function reserve(t: Test) {
  const script = join(temporaryFolder(t), 'worker.cjs');
  writeFileSync(script, WORKER);
  const log = createLog('test', 'silent', 'json');
  const made: Child[] = [];
  const place = { isStarting: false };
  const spare = new Spare({
    spawn() {
      const child = new Child({
        name: 'worker-spare',
        process: fork(script, { execArgv: [] }),
        startTimeoutMs: 10_000,
        drainBy: 'message',
        silenceTimeoutMs: 0,
        log,
      });
      t.teardown(() => child.kill('SIGKILL', 'the test is over'));
      made.push(child);
      return child;
    },
    isPlaceStarting: () => place.isStarting,
    log,
  });
  t.teardown(() => spare.discard('the test is over'));
  return { spare, made, place };
}

async function loaded(child: Child): Promise<void> {
  child.send(STATUS);
  while (!child.isStandingBy) await once(child, 'message');
}

t.test('a spare that has loaded is ready with its place', async (t) => {
  const { spare, made } = reserve(t);
  spare.keep();
  await loaded(made[0]!);
  const ready = once(made[0]!, 'ready');
  t.equal(spare.take('worker-1'), made[0]);
  await ready;
  t.equal(made[0]!.name, 'worker-1');
});

t.test('a spare that still loads is given the place and takes it when it has loaded', async (t) => {
  const { spare, made } = reserve(t);
  spare.keep();
  const [child] = made;
  t.equal(spare.take('worker-1'), child);
  t.equal(spare.take('worker-2'), undefined, 'there is only one');
  t.equal(child!.state, 'starting');
  const ready = once(child!, 'ready');
  child!.send(STATUS);
  await ready;
  t.equal(child!.name, 'worker-1');
  t.notOk(child!.isStandingBy);
});

t.test('while a place is being filled no spare is loaded', async (t) => {
  const { spare, made, place } = reserve(t);
  spare.keep();
  spare.take('worker-1');
  place.isStarting = true;
  spare.placeChanged();
  t.equal(made.length, 1);
  place.isStarting = false;
  spare.placeChanged();
  t.equal(made.length, 2);
});

t.test('a frozen spare is neither taken nor made', async (t) => {
  const { spare, made } = reserve(t);
  spare.keep();
  spare.freeze();
  t.equal(spare.take('worker-1'), undefined);
  await spare.discard('a reload');
  spare.placeChanged();
  t.equal(made.length, 1);
  spare.keep();
  t.equal(made.length, 2);
});
