import t from 'tap';
import { Conditions, type Look } from '../../src/notify/conditions.ts';

const MINUTE_MS = 60_000;
const AFTER_MS = 5 * MINUTE_MS;

/** Looks at one moment, and tells what is due. */
function at(conditions: Conditions, minutes: number, look: Partial<Look> = {}): string[] {
  const nowMs = minutes * MINUTE_MS;
  conditions.look({ nowMs, troubles: [], strikes: [], isServing: true, ...look });
  return conditions.due(nowMs).map((due) => {
    conditions.attempt(due, nowMs);
    conditions.told(due);
    return `${due.kind} ${due.condition.name}: ${due.condition.cause}`;
  });
}

const cut = { troubles: [{ name: 'replication', reason: 'unreachable' }] };

t.test('what lasts is told once, and its end once it has stayed away', async (t) => {
  const conditions = new Conditions(AFTER_MS, [], 0);
  t.strictSame(at(conditions, 1, cut), []);
  t.strictSame(at(conditions, 5.9, cut), []);
  t.strictSame(at(conditions, 6, cut), ['problem replication: unreachable']);
  t.strictSame(at(conditions, 7, cut), []);
  t.strictSame(at(conditions, 8), []);
  t.strictSame(at(conditions, 8.9), []);
  t.strictSame(at(conditions, 9), ['ended replication: unreachable']);
  t.strictSame(at(conditions, 10), []);
});

t.test('what goes before it has lasted is never told, and what comes and goes is one', async (t) => {
  const conditions = new Conditions(AFTER_MS, [], 0);
  at(conditions, 0, cut);
  for (const minute of [4, 8, 12]) t.strictSame(at(conditions, minute), []);
  at(conditions, 13, cut);
  const told = [13.5, 14, 14.5, 15, 15.5, 16, 16.5, 17, 17.5, 18].flatMap((minute) =>
    at(conditions, minute, minute % 1 === 0 ? cut : {}),
  );
  t.strictSame(told, ['problem replication: unreachable']);
});

t.test('a strike is told at once, others join it, and it ends after quiet minutes', async (t) => {
  const conditions = new Conditions(AFTER_MS, [], 0);
  const strike = (minutes: number) => ({
    strikes: [{ name: 'primary', reason: `died at ${minutes}`, atMs: minutes * MINUTE_MS }],
  });
  t.strictSame(at(conditions, 1, strike(1)), ['problem primary: died at 1']);
  t.strictSame(at(conditions, 3, strike(3)), []);
  t.strictSame(at(conditions, 7), []);
  t.strictSame(at(conditions, 8), ['ended primary: died at 3']);
});

t.test('over a restart nothing is told twice, and nothing ends before the system serves', async (t) => {
  const first = new Conditions(AFTER_MS, [], 0);
  at(first, 0, cut);
  at(first, 5, cut);
  const kept = JSON.parse(JSON.stringify(first.kept));
  const second = new Conditions(AFTER_MS, kept, 6 * MINUTE_MS);
  for (const minute of [6, 7, 8]) t.strictSame(at(second, minute, { isServing: false }), []);
  t.strictSame(at(second, 9, cut), []);
  t.strictSame(at(second, 10), []);
  t.strictSame(at(second, 11), ['ended replication: unreachable']);
});

t.test('what nobody took is tried again, ever later, also by the next process', async (t) => {
  const conditions = new Conditions(AFTER_MS, [], 0);
  at(conditions, 0, cut);
  const look = (nowMs: number) => {
    conditions.look({ nowMs, ...cut, strikes: [], isServing: true });
    const [due] = conditions.due(nowMs);
    if (due) conditions.attempt(due, nowMs);
    return due !== undefined;
  };
  const triedAtS = Array.from({ length: 3600 }, (_, second) => second).filter((second) =>
    look(AFTER_MS + second * 1000),
  );
  t.strictSame(triedAtS, [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030]);
  const next = new Conditions(AFTER_MS, conditions.kept, AFTER_MS + 3_040_000);
  next.look({ nowMs: AFTER_MS + 3_040_000, ...cut, strikes: [], isServing: true });
  t.strictSame(next.due(AFTER_MS + 3_040_000), []);
});

t.test('however much fails, what is kept is bounded', async (t) => {
  const conditions = new Conditions(AFTER_MS, [], 0);
  const troubles = Array.from({ length: 500 }, (_, number) => ({
    name: `child-${number}`,
    reason: 'x'.repeat(100_000),
  }));
  at(conditions, 1, { troubles });
  t.equal(conditions.kept.length, 40);
  t.ok(JSON.stringify(conditions.kept).length < 30_000);
});
