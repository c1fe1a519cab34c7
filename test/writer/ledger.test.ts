import assert from 'node:assert';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { migrate } from '../../src/sqlite/migrations.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { WalIndex } from '../../src/sqlite/wal-index.ts';
import { CommitCounter } from '../../src/writer/commit-counter.ts';
import { IdempotencyKeys } from '../../src/writer/idempotency.ts';
import { Ledger } from '../../src/writer/ledger.ts';
import type { Outcome } from '../../src/writer-client/protocol.ts';
import { temporaryFolder } from '../support/system.ts';

const MIGRATIONS = new URL('../../src/sqlite/migrations/', import.meta.url);

function openDatabase(t: Test): { db: Database; wal: WalIndex } {
  const path = join(temporaryFolder(t), 'main.db');
  const db = openWriter(path);
  t.teardown(() => db.close());
  migrate(db, [{ name: 'writer', migrations: MIGRATIONS }]);
  return { db, wal: new WalIndex(path) };
}

function commit(db: Database, ledger: Ledger, batch: ReadonlyMap<string, Map<number, Outcome>>): void {
  db.transaction(() => ledger.stage(batch, 1))();
  ledger.hold(batch);
}

const one = (client: string, seq: number, value: unknown = { done: true }) =>
  new Map([[client, new Map<number, Outcome>([[seq, { value }]])]]);

/** How many pages a commit writes, and the rows of the table of clients after it. */
function cost({ db, wal }: { db: Database; wal: WalIndex }, ledger: Ledger, batch: ReturnType<typeof one>) {
  const before = wal.read().frames;
  commit(db, ledger, batch);
  const rows = db.prepare('SELECT count(*) FROM writer_ledger').pluck().get();
  return { pages: wal.read().frames - before, rows };
}

t.test('a lone write pays one page for its number and its outcome', async (t) => {
  const site = openDatabase(t);
  const ledger = new Ledger(site.db, 'a');
  commit(site.db, ledger, one('first opens the session', 1));
  ledger.confirm('first opens the session', [1]);
  t.strictSame(cost(site, ledger, one('a', 1)), { pages: 1, rows: 0 });
  t.strictSame(cost(site, ledger, one('b', 1)), { pages: 1, rows: 0 });
  t.strictSame(
    new Ledger(site.db, 'b').find('a', 1),
    { value: { done: true } },
    'and the next writer has both',
  );
  t.strictSame(new Ledger(site.db, 'b').find('b', 1), { value: { done: true } });
});

t.test(
  'what does not fit the page of the commit goes to rows, and comes back when it is little',
  async (t) => {
    const site = openDatabase(t);
    const ledger = new Ledger(site.db, 'a');
    commit(site.db, ledger, one('small', 1));
    const large = 'x'.repeat(3600);
    t.equal(cost(site, ledger, one('large', 1, large)).rows, 2, 'that of the small one too');
    t.strictSame(new Ledger(site.db, 'b').find('small', 1), { value: { done: true } });
    t.strictSame(new Ledger(site.db, 'b').find('large', 1), { value: large });
    ledger.confirm('large', [1]);
    t.equal(cost(site, ledger, one('small', 2)).rows, 0);
    const next = new Ledger(site.db, 'b');
    t.strictSame(next.find('large', 1), undefined);
    t.strictSame(
      [next.find('small', 1), next.find('small', 2)],
      [{ value: { done: true } }, { value: { done: true } }],
    );
  },
);

t.test('a commit that carries no outcomes leaves those that are there', async (t) => {
  const { db } = openDatabase(t);
  commit(db, new Ledger(db, 'a'), one('a', 1));
  new CommitCounter(db, 'b').count(2);
  t.strictSame(new Ledger(db, 'b').find('a', 1), { value: { done: true } });
});

t.test(
  'whatever is applied, confirmed, forgotten or undone, a next writer has what is not confirmed',
  async (t) => {
    const client = fc.constantFrom('a', 'b', 'c');
    const step = fc.record({
      client,
      seqs: fc.uniqueArray(fc.nat(30), { maxLength: 12 }),
      sizeBytes: fc.constantFrom(1, 300, 4000),
      does: fc.constantFrom('apply', 'apply', 'confirm', 'forget', 'undo', 'restart'),
    });
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
          const { db } = openDatabase(t);
          let ledger = new Ledger(db, 'a');
          const applied = new Map<string, Outcome>();
          const confirmed = new Set<string>();
          for (const [index, { client, seqs, sizeBytes, does }] of steps.entries()) {
            const outcomes = new Map(
              seqs.map((seq) => [seq, { value: `${index}:${'x'.repeat(sizeBytes)}` }]),
            );
            const batch = new Map([[client, outcomes]]);
            if (does === 'apply' && seqs.length > 0) {
              commit(db, ledger, batch);
              for (const [seq, outcome] of outcomes) {
                applied.set(`${client} ${seq}`, outcome);
                confirmed.delete(`${client} ${seq}`);
              }
            } else if (does === 'confirm') {
              ledger.confirm(client, seqs);
              for (const seq of seqs) confirmed.add(`${client} ${seq}`);
            } else if (does === 'forget') {
              ledger.forget(client);
              for (const name of applied.keys()) if (name.startsWith(client)) confirmed.add(name);
            } else if (does === 'undo' && seqs.length > 0) {
              db.exec('BEGIN');
              ledger.stage(batch, 1);
              db.exec('ROLLBACK');
            } else if (does === 'restart') ledger = new Ledger(db, 'b');
            for (const found of [ledger, new Ledger(db, 'c')]) {
              for (const [name, outcome] of applied) {
                const [of = '', seq] = name.split(' ');
                if (!confirmed.has(name)) assert.deepStrictEqual(found.find(of, Number(seq)), outcome, name);
              }
            }
          }
          db.close();
        }),
        { numRuns: 60 },
      ),
    );
  },
);

t.test('a lone write with a key pays one page more', async (t) => {
  const { db, wal } = openDatabase(t);
  const ledger = new Ledger(db, 'a');
  const keys = new IdempotencyKeys(db, 60_000);
  const write = (key: string) => {
    const before = wal.read().frames;
    db.transaction(() => {
      keys.once({ owner: 'ann', key, fingerprint: 'f' }, 1000, () => ({ value: null }));
      ledger.stage(one('a', 1), 1000);
      keys.clean(1000);
    })();
    ledger.hold(one('a', 1));
    return wal.read().frames - before;
  };
  write('opens the session');
  t.equal(write('k'), 2);
});
