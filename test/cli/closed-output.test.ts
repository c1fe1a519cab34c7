import t from 'tap';
import { endQuietly } from './closed-output-fixture.ts';

t.test('a reader that has gone ends what only shows, without a stack', async (t) => {
  await endQuietly(t, [
    ['status', '--watch', '--json'],
    ['events', '--follow'],
  ]);
});
