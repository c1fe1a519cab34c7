import t from 'tap';
import { flood } from './line-batch-fixture.ts';

for (const kind of ['pipe', 'socket'] as const) {
  t.test(`a ${kind} that nobody reads bounds the memory of text and holds up no exit`, (t) =>
    flood(t, kind, 'text'),
  );
}
