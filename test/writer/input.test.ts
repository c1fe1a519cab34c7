import t from 'tap';
import { z } from 'zod';
import { features } from '../../src/features/features.ts';
import { parseInput } from '../../src/writer/input.ts';

const command = {
  input: z.object({
    owner: z.string(),
    alert: z.object({
      title: z.string().transform((title) => title.trim()),
      tags: z.array(z.object({ name: z.string() })),
    }),
    when: z.union([z.literal('now'), z.object({ atMs: z.int() })]).optional(),
    notes: z.record(z.string(), z.string()).default({}),
  }),
  prepare: () => () => undefined,
};
const WHOLE = { owner: 'ann', alert: { title: ' a ', tags: [{ name: 'x' }, { name: 'y' }] } };

t.test('an input that its schema knows is given back as the schema makes it', async (t) => {
  t.strictSame(parseInput(command, { ...WHOLE, when: { atMs: 1 }, notes: { any: 'name' } }), {
    value: {
      owner: 'ann',
      alert: { title: 'a', tags: [{ name: 'x' }, { name: 'y' }] },
      when: { atMs: 1 },
      notes: { any: 'name' },
    },
  });
  t.strictSame(parseInput(command, WHOLE), {
    value: { owner: 'ann', alert: { title: 'a', tags: [{ name: 'x' }, { name: 'y' }] }, notes: {} },
  });
});

t.test('a field that is unknown, missing or wrong is named, at any depth', async (t) => {
  const { alert } = WHOLE;
  for (const [input, misfit] of [
    [{ ...WHOLE, rank: 1 }, 'rank'],
    [{ ...WHOLE, rank: null }, 'rank'],
    [{ ...WHOLE, alert: { ...alert, rank: 1 } }, 'alert.rank'],
    [{ ...WHOLE, alert: { ...alert, tags: [{ name: 'x' }, { name: 'y', rank: 1 }] } }, 'alert.tags.1.rank'],
    [{ ...WHOLE, when: { atMs: 1, zone: 'UTC' } }, 'when.zone'],
    [JSON.parse('{"owner":"ann","alert":{"title":"a","tags":[]},"__proto__":{"a":1}}'), '__proto__'],
    [{ owner: 'ann', alert: { title: 'a' } }, 'alert.tags'],
    [{ ...WHOLE, owner: 7 }, 'owner'],
    [[], ''],
    [null, ''],
  ] as const) {
    t.strictSame(parseInput(command, input), { misfit }, JSON.stringify(input));
  }
});

t.test('every command of every feature refuses a field that it does not know', async (t) => {
  const valid: Record<string, object> = {
    'notes.remove': { owner: '', id: 'm' },
    'notes.tally': { name: 'a', notes: 1 },
    'files.put': { owner: '', id: 'a' },
    'keys.revoke': { key: 'k' },
    'keys.touch': { uses: [{ id: '0123456789abcdef', atMs: 1 }] },
  };
  let count = 0;
  for (const feature of features) {
    for (const [name, each] of Object.entries(await feature.commands())) {
      const input = valid[`${feature.name}.${name}`];
      if (input === undefined) continue;
      count += 1;
      t.strictSame(parseInput(each, input), { value: input }, name);
      t.strictSame(parseInput(each, { ...input, unknown: 1 }), { misfit: 'unknown' }, name);
    }
  }
  t.equal(count, Object.keys(valid).length);
  const touch = (await features[0]!.commands()).touch!;
  const uses = [{ id: '0123456789abcdef', atMs: 1, unknown: 1 }];
  t.strictSame(parseInput(touch, { uses }), { misfit: 'uses.0.unknown' });
});
