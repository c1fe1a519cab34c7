import t from 'tap';
import { trials } from '../../../loadtest/chaos/trials/index.ts';
import { parseOptions } from '../../../src/testing/chaos/options.ts';
import { like } from '../../support/like.ts';
import { chaos, endOf } from './command-fixture.ts';

t.test('a wrong word on the command line says what would be right', async (t) => {
  const { child, said } = chaos(t, ['--only', 'meteorite']);
  t.equal(await endOf(child), 64);
  t.match(said.text, /no trial meteorite/);
  t.match(said.text, /Usage: npm run chaos/);
});

t.test('the command line says which trials run, and how', async (t) => {
  const some = parseOptions(['--only', 'stop,reload', '--seconds', '9', '--seed', '7'], trials);
  like(t, some, { seconds: 9, seed: 7, short: false });
  t.same(
    some?.trials.map(({ name }) => name),
    ['reload', 'stop'],
  );
  t.equal(parseOptions([], trials)?.trials.length, trials.length);
  t.ok(parseOptions(['--short'], trials)?.trials.every(({ size }) => size.short !== undefined));
  t.equal(parseOptions(['--help'], trials), undefined);
  t.throws(() => parseOptions(['--seconds', '0'], trials), /--seconds: expected/);
});

t.test('no two trials share a name', async (t) => {
  t.equal(new Set(trials.map(({ name }) => name)).size, trials.length);
});
