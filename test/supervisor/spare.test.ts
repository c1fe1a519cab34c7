import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { Child } from '../../src/supervisor/child.ts';
import type { Clock } from '../../src/supervisor/clock.ts';
import { Spare } from '../../src/supervisor/spare.ts';
import { makeDeployment } from '../support/deployment.ts';
import { ManualClock } from '../support/manual-clock.ts';
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

const log = createLog('test', 'silent', 'json');

/** A reserve whose workers are real processes, and those that it has made so far. */
function reserve(t: Test, count = 1, clock?: Clock) {
  const script = join(temporaryFolder(t), 'worker.cjs');
  writeFileSync(script, WORKER);
  const made: Child[] = [];
  const place = { isStarting: false };
  const serving = { deployment: makeDeployment() };
  const troubles: (string | undefined)[] = [];
  const spare: Spare = new Spare({
    names: Array.from({ length: count }, (_, index) => `worker-spare-${index + 1}`),
    deployment: () => serving.deployment,
    spawn(name, deployment) {
      const child = new Child({
        name,
        deployment,
        spawn: () => fork(script, { execArgv: [] }),
        isToStandBy: true,
        startTimeoutMs: 10_000,
        drainBy: 'message',
        silenceTimeoutMs: 0,
        log,
      });
      t.teardown(() => child.kill('the test is over'));
      made.push(child);
      return child;
    },
    isPlaceStarting: () => place.isStarting,
    startTimeoutMs: 15_000,
    onChange: () => troubles.push(spare.trouble),
    log,
    ...(clock && { clock }),
  });
  t.teardown(() => spare.discard('the test is over'));
  const take = (name: string) => spare.take(name, serving.deployment);
  return { spare, take, made, place, serving, troubles };
}

async function loaded(child: Child): Promise<void> {
  child.send(STATUS);
  while (child.state !== 'standby') await once(child, 'message');
}

t.test('a spare that has loaded is ready with its place', async (t) => {
  const { spare, take, made } = reserve(t);
  spare.keep();
  await loaded(made[0]!);
  const ready = once(made[0]!, 'ready');
  t.equal(take('worker-1'), made[0]);
  await ready;
  t.equal(made[0]!.name, 'worker-1');
});

t.test('a spare that still loads is given the place and takes it when it has loaded', async (t) => {
  const { spare, take, made } = reserve(t);
  spare.keep();
  const [child] = made;
  t.equal(take('worker-1'), child);
  t.equal(take('worker-2'), undefined, 'there is only one');
  t.equal(child!.state, 'starting');
  const ready = once(child!, 'ready');
  child!.send(STATUS);
  await ready;
  t.equal(child!.name, 'worker-1');
});

t.test('while a place is being filled no spare is loaded', async (t) => {
  const { spare, take, made, place } = reserve(t);
  spare.keep();
  take('worker-1');
  place.isStarting = true;
  spare.placeChanged();
  t.equal(made.length, 1);
  place.isStarting = false;
  spare.placeChanged();
  t.equal(made.length, 2);
});

t.test('a spare is for places of its own deployment, and goes when another one serves', async (t) => {
  const { spare, take, made, serving } = reserve(t);
  spare.keep();
  await loaded(made[0]!);
  serving.deployment = makeDeployment();
  t.equal(take('worker-1'), undefined);
  spare.placeChanged();
  await made[0]!.ended();
  while (made.length < 2) await nextTurn();
  await loaded(made[1]!);
  t.equal(take('worker-1'), made[1]);
  t.equal(made[1]!.deployment, serving.deployment);
});

t.test('another deployment does not wait for the spare that could not load', async (t) => {
  const { spare, made, serving } = reserve(t);
  spare.keep();
  made[0]!.fault('the test ends it');
  await made[0]!.ended();
  spare.placeChanged();
  t.equal(made.length, 1, 'the next one is not hurried');
  serving.deployment = makeDeployment();
  spare.placeChanged();
  t.equal(made.length, 2);
});

t.test('several load one after the other, and each that waits takes a place at once', async (t) => {
  const { spare, take, made } = reserve(t, 3);
  spare.keep();
  spare.placeChanged();
  t.equal(made.length, 1, 'the second does not load beside the first');
  await loaded(made[0]!);
  t.equal(made.length, 2);
  await loaded(made[1]!);
  t.equal(made.length, 3);
  t.same(
    spare.children.map(({ name }) => name),
    ['worker-spare-1', 'worker-spare-2', 'worker-spare-3'],
  );
  const ready = Promise.all(made.slice(0, 2).map((child) => once(child, 'ready')));
  t.equal(take('worker-1'), made[0]);
  t.equal(take('worker-2'), made[1], 'one that waits goes before the one that loads');
  await ready;
  t.equal(take('worker-3'), made[2]);
  t.equal(take('worker-4'), undefined);
});

t.test('the place of one that was taken or died in the reserve is filled again', async (t) => {
  const { spare, take, made } = reserve(t, 2);
  spare.keep();
  await loaded(made[0]!);
  await loaded(made[1]!);
  t.equal(made.length, 2, 'no more than are wanted');
  take('worker-1');
  spare.placeChanged();
  t.equal(made[2]!.name, 'worker-spare-1');
  await loaded(made[2]!);
  made[1]!.fault('the test ends it');
  await made[1]!.ended();
  while (made.length < 4) await nextTurn();
  t.equal(made[3]!.name, 'worker-spare-2');
  await loaded(made[3]!);
  await spare.discard('the test is over');
  t.same(spare.children, []);
  t.same(
    made.slice(2).map(({ state }) => state),
    ['dead', 'dead'],
  );
});

t.test('none is kept where none is wanted', async (t) => {
  const { spare, take, made } = reserve(t, 0);
  spare.keep();
  spare.placeChanged();
  t.equal(take('worker-1'), undefined);
  t.equal(made.length, 0);
});

t.test(
  'one that cannot load is tried again ever more slowly, and told of when it is missing for long',
  async (t) => {
    const clock = new ManualClock();
    const { spare, made, troubles } = reserve(t, 1, clock);
    spare.keep();
    for (const backoffMs of [1000, 2000, 4000, 8000]) {
      const child = made.at(-1)!;
      child.fault('the test ends it');
      await child.ended();
      const count = made.length;
      clock.advance(backoffMs / 2 - 1);
      t.equal(made.length, count, `not before ${backoffMs / 2} ms`);
      clock.advance(backoffMs / 2 + 1);
      t.equal(made.length, count + 1);
    }
    t.same(troubles, ['no worker stands by: the last one the test ends it']);
    await loaded(made.at(-1)!);
    t.same(troubles.slice(1), [undefined]);
  },
);

t.test('one that dies soon after it has loaded is not hurried either', async (t) => {
  const clock = new ManualClock();
  const { spare, made } = reserve(t, 1, clock);
  spare.keep();
  await loaded(made[0]!);
  made[0]!.fault('the test ends it');
  await made[0]!.ended();
  clock.advance(499);
  t.equal(made.length, 1);
  clock.advance(501);
  t.equal(made.length, 2);
  await loaded(made[1]!);
  clock.advance(10_000);
  made[1]!.fault('the test ends it');
  await made[1]!.ended();
  clock.advance(0);
  t.equal(made.length, 3);
});
