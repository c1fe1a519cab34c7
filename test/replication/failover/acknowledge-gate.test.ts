import t from 'tap';
import { AcknowledgeGate } from '../../../src/replication/failover/acknowledge-gate.ts';

t.test('a look lets pass what was confirmed before it was sent, and nothing that came after', async (t) => {
  const gate = new AcknowledgeGate<string>();
  t.equal(gate.isWanted, false);
  gate.add('first');
  gate.add('second');
  const mark = gate.mark();
  gate.add('while it was under way');
  t.strictSame(gate.pass(mark), ['first', 'second']);
  t.equal(gate.isWanted, true);
  t.strictSame(gate.pass(gate.mark()), ['while it was under way']);
  t.equal(gate.isWanted, false);
});

t.test('what is dropped never passes', async (t) => {
  const gate = new AcknowledgeGate<string>();
  gate.add('first');
  const mark = gate.mark();
  gate.drop();
  t.strictSame(gate.pass(mark), []);
});
