import fc from 'fast-check';
import type { Test } from 'tap';
import { type Mutation, World } from './world.ts';

const STEPS_MAX = 500;

export function check(mutation: Mutation, numRuns: number, counts: Record<string, number> = {}, seed = 22) {
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
    { numRuns, seed: Number(process.env.SEED ?? seed), endOnFailure: true },
  );
}

/** @param schedules how many are tried */
export function neverLosesAWrite(t: Test, schedules: number): void {
  const counts: Record<string, number> = {};
  const { failed, errorInstance } = check({}, schedules, counts);
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
}
