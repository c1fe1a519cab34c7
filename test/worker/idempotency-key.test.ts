import type { Context } from 'koa';
import t from 'tap';
import { idempotencyOf } from '../../src/worker/idempotency-key.ts';

interface Sent {
  readonly json?: unknown;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly blob?: string;
}

async function fingerprintOf({ json, path = '/a', headers = {}, blob }: Sent): Promise<string | undefined> {
  const ctx = {
    method: 'POST',
    path,
    querystring: '',
    req: { headers: { 'idempotency-key': 'k', ...headers } },
    state: { caller: { owner: 'o' }, json },
  } as unknown as Context;
  return (await idempotencyOf(ctx, blob === undefined ? undefined : Buffer.from(blob)))?.fingerprint;
}

t.test(
  'a request has one fingerprint, however its JSON is written, and another one has another',
  async (t) => {
    const same = await fingerprintOf({ json: { a: 1, b: { d: [1, 2], c: null } } });
    t.match(same, /^2\.[\w-]{43}$/);
    t.equal(await fingerprintOf({ json: JSON.parse('{"b":{"c":null,"d":[1,2]},"a":1}') }), same);
    const all: Sent[] = [
      { json: { a: 1, b: { d: [2, 1], c: null } } },
      { json: { a: 1, b: { d: [1, 2], c: null } }, path: '/b' },
      { json: { a: 1, b: { d: [1, 2], c: null } }, headers: { 'if-match': '"1"' } },
      { json: { a: 1, b: { d: [1, 2], c: null } }, headers: { 'if-none-match': '"1"' } },
      { json: { a: 1, b: { d: [1, 2], c: null } }, blob: 'x' },
      { json: { a: '1', b: { d: [1, 2], c: null } } },
      { json: { 0: 'a' } },
      { json: ['a'] },
      { json: JSON.parse('{"__proto__":1}') },
      { json: {} },
      { blob: 'x' },
      { blob: 'y' },
      {},
    ];
    const others = await Promise.all(all.map(fingerprintOf));
    t.equal(new Set([same, ...others]).size, all.length + 1);
  },
);

t.test('JSON of any depth has one', async (t) => {
  const deep = JSON.parse(`${'['.repeat(30_000)}${']'.repeat(30_000)}`);
  t.match(await fingerprintOf({ json: { extra: deep } }), /^2\./);
});
