import assert from 'node:assert';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { loggablePath, membersOf, type RequestLine } from '../../src/worker/middleware/request-log.ts';

/** As short as one is that a link to a page holds. */
const TOKEN = randomBytes(60).toString('base64url');
const encoded = (text: string) => text.replace(/./g, (one) => `%${one.charCodeAt(0).toString(16)}`);

t.test('a path is logged without query, addresses, secrets or excess', async (t) => {
  const cases: readonly [string, string][] = [
    ['/note', '/note'],
    ['/note?email=a@b.c', '/note'],
    ['/note#a@b.c', '/note'],
    ['/x/a@b.c/y', '/x/[redacted]/y'],
    ['/x/a%40b.c', '/x/[redacted]'],
    ['/x/a%2fb', '/x/a%2fb'],
    ['', ''],
    ...[TOKEN, `${TOKEN}/`, encoded(TOKEN), `${TOKEN}%zz`, `${TOKEN}?x`].map((token): [string, string] => [
      `/page/${token}`,
      `/page/[redacted]${token.endsWith('/') ? '/' : ''}`,
    ]),
    [`/Page//${TOKEN}`, '/Page//[redacted]'],
    [`/note/${encoded('x'.repeat(50))}`, `/note/${encoded('x'.repeat(50))}`],
  ];
  for (const [target, path] of cases) t.equal(loggablePath(target), path, target);
  t.equal(loggablePath(`/${'a/'.repeat(4500)}`).length, 513);
  t.equal(loggablePath(`${'/a'.repeat(230)}/${TOKEN}`).includes(TOKEN.slice(0, 40)), false);
});

t.test('a line is JSON of what it tells, in one line, whatever a client sends', async (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  const hostile = fc.constantFrom(
    '"',
    '\\',
    '\n',
    '\u2028',
    '\ud800',
    '"}\n{"level":"fatal"',
    '\u0000',
    'é😀',
  );
  const any = fc.oneof(
    text,
    fc.tuple(text, hostile, text).map((parts) => parts.join('')),
  );
  const given = fc.record<RequestLine>({
    requestId: any,
    method: any,
    route: fc.option(any, { nil: undefined }),
    path: any,
    status: fc.integer({ min: 100, max: 599 }),
    code: fc.option(any, { nil: undefined }),
    durationMs: fc.integer({ min: 0, max: 1e9 }).map((us) => us / 1000),
    bytes: fc.option(fc.nat(), { nil: undefined }),
  });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(given, (line) => {
        const own = `{"level":"info"${membersOf(line)}}`;
        // What is sent is UTF-8, and one line.
        const expected = JSON.parse(JSON.stringify({ level: 'info', ...line, msg: 'request' }));
        assert.deepStrictEqual(JSON.parse(Buffer.from(own).toString()), expected);
        assert.equal(own.includes('\n'), false);
      }),
      { numRuns: 300 },
    ),
  );
});
