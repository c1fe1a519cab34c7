import t from 'tap';
import { check, neverLosesAWrite } from './model-fixture.ts';
import type { Mutation } from './world.ts';

/** A seed. */
const SHOWS_IT_SOON = 11;

t.test('in every schedule no acknowledged write is lost, and never two may commit', async (t) => {
  neverLosesAWrite(t, 500);
});

t.test(
  'with a clock that stands still while a machine is paused, only local commits are in doubt',
  async (t) => {
    const local = check({ isFrozen: true }, 5000, {}, SHOWS_IT_SOON);
    t.equal((local.errorInstance as Error).message, 'two may commit');
    t.equal(check({ isFrozen: true, isLocalAllowed: true }, 500).failed, false);
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
