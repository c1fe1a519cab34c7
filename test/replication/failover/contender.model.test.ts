import fc from 'fast-check';
import t from 'tap';
import { type Mutation, World } from './world.ts';

const STEPS_MAX = 500;

function check(mutation: Mutation, numRuns: number, counts: Record<string, number> = {}) {
  return fc.check(
    fc.property(
      fc.array(fc.nat(1_000_000), { minLength: 200, maxLength: STEPS_MAX, size: 'max' }),
      (choices) => {
        const world = new World(mutation);
        for (const choice of choices) {
          world.take(choice);
          if (world.violation !== undefined) throw new Error(world.violation);
        }
        for (const [name, count] of Object.entries(world.counts)) counts[name] = (counts[name] ?? 0) + count;
      },
    ),
    { numRuns, seed: Number(process.env.SEED ?? 22), endOnFailure: true },
  );
}

t.test('in every schedule no acknowledged write is lost, and never two may commit', async (t) => {
  const counts: Record<string, number> = {};
  const { failed, errorInstance } = check({}, 2000, counts);
  t.equal(failed, false, String((errorInstance as Error | undefined)?.message));
  const happened = [
    'challenges',
    'commits',
    'acknowledged by epoch 1',
    'acknowledged by epoch 3',
    'restored',
    'restarts',
    'exchanges',
    'reclaims',
    'losses',
    'released',
    'fenced',
    'demoted',
    'vow',
    'landed late',
    'woke',
  ];
  t.strictSame(
    happened.filter((name) => !counts[name]),
    [],
    'all that can go wrong has gone wrong',
  );
  t.comment(JSON.stringify(counts));
});

t.test(
  'with a clock that stands still while a machine is paused, only local commits are in doubt',
  async (t) => {
    const local = check({ isFrozen: true }, 5000);
    t.equal((local.errorInstance as Error).message, 'two may commit');
    t.equal(check({ isFrozen: true, isLocalAllowed: true }, 2000).failed, false);
  },
);

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'acknowledging when the upload has landed': { hasNoGate: true },
  'restoring before the record is taken': { restoresBefore: true },
  'naming a folder before anything is in it': { switchesEarly: true },
  'a vow that counts from its answer': { vowsFromAnswer: true },
  'a promise while the own write is under way': { vowsAlways: true },
  'a lost machine that keeps its epoch': { keepsEpoch: true },
  'a store that ignores conditions': { isUnconditional: true },
};
for (const [name, mutation] of Object.entries(MUTATIONS)) {
  t.test(`${name} is caught`, async (t) => {
    t.equal(check(mutation, 20_000).failed, true);
  });
}
