import t from 'tap';
import { describeLoss } from '../../src/replication/loss.ts';

const at = (ordinal: number) => ({ ordinal, atMs: Date.UTC(2030, 0, 1, 0, 0, ordinal) });

t.test('what a restore could not bring back is told by number and time', async (t) => {
  const all = { restored: at(7), known: at(7), isLowerBound: false };
  t.equal(
    describeLoss(all),
    'it ends with commit 7 of 2030-01-01T00:00:07.000Z; there was no newer one, nothing is lost',
  );
  t.match(
    describeLoss({ ...all, known: at(8) }),
    /; 1 newer commit was not in the replica and is lost: 8 to 8, of 2030/,
  );
  t.match(describeLoss({ ...all, known: at(9), isLowerBound: true }), /at least 2 newer commits/);
  t.match(describeLoss({ ...all, isLowerBound: true }), /no newer one is known/);
  t.match(describeLoss({ ...all, known: undefined, isLowerBound: true }), /cannot be read/);
  t.match(describeLoss({ ...all, restored: undefined }), /does not tell its last commit/);
});
