import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { Child } from '../../src/supervisor/child.ts';
import type { ChildExit, EndedBy } from '../../src/supervisor/child-exit.ts';
import type { Deployment } from '../../src/supervisor/release/deployment.ts';
import { RestartPolicy } from '../../src/supervisor/restart-policy.ts';
import { Slot, type SlotOptions } from '../../src/supervisor/slot.ts';
import { makeDeployment } from '../support/deployment.ts';
import { FakeProcess } from '../support/fake-process.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** More of them by hand: `MODEL_RUNS=8000 npx tap test/supervisor/slot.model.test.ts`. */
const RUNS = Number(process.env.MODEL_RUNS ?? 50);
const WINDOW_MS = 10_000;
const BREAKER_RETRY_MS = 30_000;
const START_TIMEOUT_MS = 5000;
const SILENCE_TIMEOUT_MS = 3000;
/** How long a process that does as it should takes for each step. */
const STEP_MS = 10;

const log = createLog('test', 'silent', 'json');

/** One process, and what became of it. */
interface Made {
  readonly child: Child;
  readonly process: FakeProcess | undefined;
  readonly isToStandBy: boolean;
  exit: ChildExit | undefined;
}

/** A slot among processes and a clock that the commands below decide over. */
class World {
  readonly clock = new ManualClock();
  readonly slot: Slot;
  readonly made: Made[] = [];
  readonly deaths: ChildExit[] = [];
  /** How the next spawns fail. */
  readonly failures: ('throws' | 'emits')[] = [];
  /** Replacements that have not settled. */
  underWay = 0;
  stopsUnderWay = 0;
  /** From now on each process does as it should. */
  isWell = false;
  deployment: Deployment = makeDeployment();

  constructor(handover: SlotOptions['handover']) {
    const policy = new RestartPolicy({
      backoffMinMs: 50,
      backoffMaxMs: 5000,
      intensity: 3,
      windowMs: WINDOW_MS,
      breakerRetryMs: BREAKER_RETRY_MS,
      stableMs: 500,
      now: () => this.clock.nowMs(),
      random: () => 0.5,
    });
    this.slot = new Slot({
      name: 'worker-1',
      deployment: this.deployment,
      spawn: (deployment, isToStandBy) => this.#spawn(deployment, isToStandBy),
      handover,
      policy,
      resetAfterMs: WINDOW_MS,
      exchangeTimeoutMs: () => 1000,
      log,
      clock: this.clock,
    });
    this.slot.on('death', (exit) => this.deaths.push(exit));
    this.slot.on('replaced', (child) => {
      this.deployment = child.deployment;
    });
  }

  get alive(): readonly Made[] {
    return this.made.filter(({ process }) => process?.isAlive);
  }

  replace(deployment: Deployment | undefined): void {
    this.underWay += 1;
    this.slot
      .replace({ ...(deployment && { deployment }), cause: 'the test wants it' })
      .catch(() => {})
      .finally(() => {
        this.underWay -= 1;
      });
  }

  stop(): void {
    this.stopsUnderWay += 1;
    this.slot.stop(1000, 'the test stops it').finally(() => {
      this.stopsUnderWay -= 1;
    });
  }

  /** @throws Error what does not hold */
  check(): void {
    const { state, child } = this.slot;
    const isFilled = child !== undefined && child.state !== 'dead';
    const isScheduled = this.clock.pending > 0;
    if (state === 'starting' || state === 'serving') demand(isFilled, `${state}, and nobody is there`);
    if (state === 'starting') demand(child?.state !== 'draining', 'starting, and the old one still goes');
    if (state === 'backing-off' || state === 'broken')
      demand(!isFilled && isScheduled, `${state}, and nothing is scheduled`);
    if (state === 'exchanging') demand(this.alive.length > 0 || isScheduled, 'exchanging with nobody');
    if (state === 'stopped') demand(this.alive.length === 0, 'stopped, and somebody lives');
    if (state === 'serving') demand(child?.state !== 'starting', 'serving, and the child starts');
    demand(this.slot.deployment === this.deployment, 'the deployment is not that which took over');
    if (this.slot.isReady && state !== 'exchanging' && state !== 'stopping')
      demand(child?.deployment === this.deployment, 'the child is of another deployment');
    for (const { exit } of this.made) {
      if (!exit) continue;
      demand(exit.cause !== '', 'a death without a cause');
      const recorded = this.deaths.filter((death) => death === exit).length;
      demand(recorded === 1, `a death by ${exit.endedBy} is recorded ${recorded} times`);
    }
  }

  /** @throws Error where there may be but one, and there are two */
  checkOne(): void {
    const active = this.alive.filter(
      ({ process, isToStandBy }) => !isToStandBy || process?.received.some(({ kind }) => kind === 'activate'),
    );
    demand(active.length <= 1, `${active.length} at once`);
  }

  #spawn(deployment: Deployment, isToStandBy: boolean): Child {
    const failure = this.isWell ? undefined : this.failures.shift();
    const fake = failure === 'throws' ? undefined : new FakeProcess(this.clock, failure === undefined);
    const child = new Child({
      name: 'worker-1',
      deployment,
      spawn() {
        if (!fake) throw new Error('spawn ENOMEM');
        return fake.asChildProcess();
      },
      isToStandBy,
      startTimeoutMs: START_TIMEOUT_MS,
      drainBy: 'message',
      silenceTimeoutMs: SILENCE_TIMEOUT_MS,
      log,
      clock: this.clock,
    });
    const made: Made = { child, process: fake, isToStandBy, exit: undefined };
    child.once('exit', (exit) => {
      made.exit = exit;
    });
    this.made.push(made);
    if (this.isWell) this.behave(made);
    return child;
  }

  /** It does from now on what a process should. */
  behave({ child, process: fake, isToStandBy }: Made): void {
    if (!fake) return;
    const step = () => {
      if (!fake.isAlive) return;
      const isActive = !isToStandBy || fake.received.some(({ kind }) => kind === 'activate');
      if (fake.received.some(({ kind }) => kind === 'drain')) fake.end(0, null);
      else if (child.state === 'starting') fake.say({ kind: isActive ? 'ready' : 'standby' });
      else fake.say({ kind: 'beat', rssBytes: 1, heapUsedBytes: 1, served: 0, deltas: [] });
      this.clock.after(STEP_MS, step);
    };
    this.clock.after(STEP_MS, step);
  }
}

function demand(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Does something to the world, whatever state it is in. */
type Deed = (world: World) => void;

const messages = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom({ kind: 'ready' }, { kind: 'standby' }, { kind: 'drained' }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      { kind: 'progress', detail: 'on its way' },
      { kind: 'failed', code: 'config_invalid', message: 'wrong' },
      { kind: 'failed', code: 'internal', message: 'a bug' },
      { kind: 'beat', rssBytes: 1, heapUsedBytes: 1, served: 1, deltas: [] },
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(null, 7, 'text', {}, { kind: 7 }) },
);

const ends = fc.constantFrom<[number | null, NodeJS.Signals | null, EndedBy]>(
  [0, null, 'fault'],
  [70, null, 'fault'],
  [null, 'SIGSEGV', 'fault'],
  [null, 'SIGKILL', 'outside'],
  [null, 'SIGTERM', 'outside'],
  [null, 'SIGALRM', 'hang'],
);

const which = fc.nat({ max: 3 });

const deeds: fc.Arbitrary<[name: string, deed: Deed]> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(which, messages)
      .map(([index, message]): [string, Deed] => [
        `process ${index} says ${JSON.stringify(message)}`,
        ({ alive }) => alive.at(index)?.process?.say(message),
      ]),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(which, ends).map(([index, [code, signal, endedBy]]): [string, Deed] => [
      `process ${index} ends with ${signal ?? code}`,
      ({ alive }) => {
        const made = alive.at(index);
        const isAsked = made?.process?.isAsked;
        made?.process?.end(code, signal);
        if (made && !isAsked) demand(made.exit?.endedBy === endedBy, `taken for ${made.exit?.endedBy}`);
      },
    ]),
  },
  {
    weight: 4,
    arbitrary: fc
      .oneof(fc.nat({ max: 100 }), fc.nat({ max: 6000 }), fc.nat({ max: 60_000 }))
      .map((durationMs): [string, Deed] => [
        `${durationMs} ms pass`,
        ({ clock }) => clock.advance(durationMs),
      ]),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<[string, Deed]>(
      ['replace', (world) => world.replace(undefined)],
      ['reload', (world) => world.replace(makeDeployment())],
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<[string, Deed]>(
      ['the next spawn throws', ({ failures }) => failures.push('throws')],
      ['the next spawn emits an error', ({ failures }) => failures.push('emits')],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<[string, Deed]>(
      ['stop', (world) => world.stop()],
      ['the child is at fault', ({ slot }) => slot.child?.fault('stalled')],
      ['start', ({ slot }) => slot.state === 'stopped' && slot.start()],
    ),
  },
);

for (const handover of ['overlap', 'standby', 'gap'] as const) {
  t.test(`a slot with ${handover} is never left empty, whatever happens in whatever order`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(deeds, { maxLength: 60 }), async (happenings) => {
        const world = new World(handover);
        world.slot.start();
        for (const [, deed] of happenings) {
          deed(world);
          await nextTurn();
          world.check();
          if (handover !== 'overlap') world.checkOne();
        }
        await comesBack(world);
        await comesToAnEnd(world);
      }),
      { numRuns: RUNS, reporter: report },
    );
    t.pass(`${RUNS} sequences`);
  });
}

/** From now on nothing fails: it serves, and the breaker closes. */
async function comesBack(world: World): Promise<void> {
  world.isWell = true;
  for (const made of world.alive) world.behave(made);
  if (world.slot.state === 'stopping') await pass(world, 3000);
  if (world.slot.state === 'stopped') world.slot.start();
  await pass(world, 2 * BREAKER_RETRY_MS + START_TIMEOUT_MS + WINDOW_MS);
  demand(world.slot.state === 'serving' && world.slot.isReady, `does not come back: ${world.slot.state}`);
  demand(!world.slot.breakerOpen, 'the breaker does not close');
  demand(world.underWay === 0, 'a replacement never ends');
  demand(world.alive.length === 1, `${world.alive.length} live where one should`);
}

async function comesToAnEnd(world: World): Promise<void> {
  world.stop();
  await pass(world, 3000);
  demand(world.stopsUnderWay === 0, 'a stop never ends');
  demand(world.slot.state === 'stopped' && world.alive.length === 0, 'something outlives the stop');
}

async function pass(world: World, durationMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += 500) {
    world.clock.advance(500);
    await nextTurn();
    world.check();
  }
}

/** Names what happened; a function says nothing. */
function report(details: fc.RunDetails<[[name: string, deed: Deed][]]>): void {
  if (!details.failed) return;
  const names = details.counterexample?.[0].map(([name]) => name).join('\n  ');
  const error = details.errorInstance as Error | undefined;
  throw new Error(
    `after\n  ${names}\n${error?.stack} (seed ${details.seed}, path ${details.counterexamplePath})`,
  );
}
