import { randomBytes } from 'node:crypto';
import t from 'tap';
import { hashOfAddress, KEY_BYTES, seal } from '../../src/app/alerts/unsubscribe/token.ts';
import { loggablePath } from '../../src/worker/middleware/request-log.ts';

/** The shortest there is. */
const TOKEN = seal({ owner: '', addressHash: hashOfAddress('a@b.c') }, randomBytes(KEY_BYTES));
const encoded = (text: string) => text.replace(/./g, (one) => `%${one.charCodeAt(0).toString(16)}`);

t.test('a path is logged without query, addresses, secrets or excess', async (t) => {
  const cases: readonly [string, string][] = [
    ['/alert', '/alert'],
    ['/alert?email=a@b.c', '/alert'],
    ['/alert#a@b.c', '/alert'],
    ['/x/a@b.c/y', '/x/[redacted]/y'],
    ['/x/a%40b.c', '/x/[redacted]'],
    ['/x/a%2fb', '/x/a%2fb'],
    ['', ''],
    ...[TOKEN, `${TOKEN}/`, encoded(TOKEN), `${TOKEN}%zz`, `${TOKEN}?x`].map((token): [string, string] => [
      `/unsubscribe/${token}`,
      `/unsubscribe/[redacted]${token.endsWith('/') ? '/' : ''}`,
    ]),
    [`/Unsubscribe//${TOKEN}`, '/Unsubscribe//[redacted]'],
    [`/alert/movie/${encoded('x'.repeat(50))}`, `/alert/movie/${encoded('x'.repeat(50))}`],
  ];
  for (const [target, path] of cases) t.equal(loggablePath(target), path, target);
  t.equal(loggablePath(`/${'a/'.repeat(4500)}`).length, 513);
  t.equal(loggablePath(`${'/a'.repeat(230)}/${TOKEN}`).includes(TOKEN.slice(0, 40)), false);
});
