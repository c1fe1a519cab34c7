import t from 'tap';
import { Fitness } from '../../../src/replication/failover/fitness.ts';

const MB = 1024 * 1024;
const OWN = { main: { writer: 3, notes: 4 }, media: { files: 2 } };

const fitnessOf = (own: typeof OWN = OWN, freeMb = 1000) =>
  new Fitness({ own, freeBytes: () => freeMb * MB });
const has = (notes: number) => ({ main: { writer: 3, notes }, media: { files: 2 } });

t.test('the same code leads', (t) => {
  t.equal(fitnessOf().heldBackBecause({ schema: OWN }, false), undefined);
  t.equal(fitnessOf().isNewer({ schema: OWN }), false);
  t.equal(fitnessOf().heldBackBecause({ schema: {} }, false), undefined, 'nothing is told of the databases');
  t.end();
});

t.test('older code does not lead, whether it has the databases or not', (t) => {
  const because =
    "its code lacks migration 5 of notes in main, which the databases of the leader have: deploy the leader's release here";
  t.equal(fitnessOf().heldBackBecause({ schema: has(5) }, false), because);
  t.equal(fitnessOf().heldBackBecause({ schema: has(5) }, true), because);
  t.equal(
    fitnessOf()
      .heldBackBecause({ schema: { main: { keys: 1 } } }, true)
      ?.includes('of keys in main'),
    true,
  );
  t.end();
});

t.test(
  'older code leads where the migrations that it lacks are marked as ones that it can live with',
  (t) => {
    t.equal(fitnessOf().heldBackBecause({ schema: has(6), needs: has(4) }, false), undefined);
    t.equal(
      fitnessOf()
        .heldBackBecause({ schema: has(6), needs: has(5) }, false)
        ?.includes('migration 5'),
      true,
    );
    t.end();
  },
);

t.test('newer code leads once it was tried, and not where that failed', (t) => {
  const fitness = fitnessOf();
  const record = { schema: has(3) };
  t.equal(fitness.isNewer(record), true);
  t.equal(fitness.heldBackBecause(record, true), undefined, 'what is here a start migrates');
  t.equal(
    fitness.heldBackBecause(record, false),
    'its code would apply migration 4 of notes in main, and that has not been tried on a copy yet',
  );
  fitness.rehearsed({ untried: 'no room', restoredBytes: 0 });
  t.match(fitness.heldBackBecause(record, false), /not been tried on a copy yet: no room$/);
  fitness.rehearsed({ refusal: 'no such table: x', restoredBytes: 0 });
  t.match(fitness.heldBackBecause(record, false), /and that fails: no such table: x$/);
  fitness.rehearsed({ restoredBytes: 1 });
  t.equal(fitness.heldBackBecause(record, false), undefined);
  t.end();
});

t.test('without room for the databases it does not lead', (t) => {
  const fitness = fitnessOf(OWN, 100);
  fitness.rehearsed({ restoredBytes: 76 * MB });
  t.equal(fitness.heldBackBecause({ schema: OWN }, false), undefined);
  fitness.rehearsed({ restoredBytes: 77 * MB });
  t.equal(
    fitness.heldBackBecause({ schema: OWN }, false),
    'the databases take 101 MB, and 100 MB of disk are free',
  );
  t.equal(
    fitnessOf(OWN, 0).heldBackBecause({ schema: OWN }, false),
    'the databases take 16 MB, and 0 MB of disk are free',
    'also before the first drill',
  );
  t.equal(fitness.heldBackBecause({ schema: OWN }, true), undefined);
  t.end();
});
