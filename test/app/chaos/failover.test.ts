import t from 'tap';
import { turnsIn } from '../../../loadtest/chaos/failover/promises.ts';
import { Witness } from '../../../loadtest/chaos/failover/witness.ts';

const write = (by: number, sentAtMs: number, answeredAtMs: number) => ({ by, sentAtMs, answeredAtMs });

t.test('a system that acknowledges after another has led counts as a turn each time', async (t) => {
  t.equal(turnsIn([]), 0);
  t.equal(turnsIn([write(0, 1, 2), write(0, 3, 4)]), 0);
  t.equal(turnsIn([write(0, 1, 2), write(1, 3, 4)]), 1);
  t.equal(turnsIn([write(0, 1, 2), write(1, 3, 4), write(0, 5, 6)]), 2);
  t.equal(turnsIn([write(1, 3, 4), write(0, 1, 2), write(1, 7, 8), write(0, 5, 6)]), 3);
});

t.test('of writes that were under way together none is known to be later', async (t) => {
  t.equal(turnsIn([write(0, 1, 9), write(1, 2, 8), write(0, 3, 7)]), 0);
  t.equal(turnsIn([write(0, 1, 2), write(1, 2, 4)]), 0);
  t.equal(turnsIn([write(0, 1, 3), write(1, 4, 5), write(0, 2, 9)]), 1);
});

t.test('a witness finds an epoch, a folder and a record of two', async (t) => {
  const witness = new Witness();
  const put = (who: string, url: string, record?: object, status = 200) =>
    witness.saw(who, { method: 'PUT', url, status, body: Buffer.from(JSON.stringify(record ?? {})) });
  put('a', '/bucket/app/lease.json', { epoch: 1, session: 's', n: 1 });
  put('b', '/bucket/app/lease.json', { epoch: 1, session: 't', n: 1 }, 412);
  put('b', '/bucket/app/lease.json', { epoch: 2, session: 't', n: 2 });
  put('a', '/bucket/app/e000001/main/x', undefined);
  t.strictSame([witness.epochs, witness.changes, witness.contradictions], [2, 1, []]);
  put('b', '/bucket/app/e000001/main/y', undefined);
  put('a', '/bucket/app/lease.json', { epoch: 2, session: 's', n: 2 });
  t.strictSame(witness.contradictions, [
    'epoch 2 was led by b and a',
    'the folder of epoch 1 has objects of a and b',
    'record 2 was written by the sessions t and s',
  ]);
});
