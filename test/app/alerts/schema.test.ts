import t from 'tap';
import { z } from 'zod';
import { alert } from '../../../src/app/alerts/schema.ts';
import { startApp } from '../../support/app.ts';
import { like } from '../../support/like.ts';

const ALERT = {
  movieId: 'tt1',
  email: 'jane@example.com',
  notification_date: '2030-01-31',
  title: 'A',
  category: 'B',
  imageUrl: 'https://example.com/a.png',
};

const GOOD: Readonly<Record<string, readonly string[]>> = {
  movieId: ['x', 'x'.repeat(128), 'é'.repeat(128), '...', '.a', '%2e', 'a/..', '\\'],
  email: [
    "o'brien+tag@example.co.uk",
    'a@b.museum',
    `${'a'.repeat(64)}@${'b'.repeat(63)}.com`,
    'x@xn--bcher-kva.example',
    'user_name@sub-domain.example.com',
  ],
  notification_date: ['2028-02-29', '2400-02-29', '2099-12-31', '9999-01-01'],
  title: ['x'.repeat(500), '🎬'.repeat(500), 'line\nbreak', '<b>"&'],
  category: ['x'.repeat(100)],
  imageUrl: [
    'http://localhost:8080/movie/image/x?y=1#z',
    'HTTPS://EXAMPLE.COM/%20',
    'https://example.com/ü',
    `https://example.com/${'x'.repeat(2028)}`,
  ],
};

const BAD: Readonly<Record<string, readonly unknown[]>> = {
  movieId: [
    '',
    '.',
    '..',
    'x'.repeat(129),
    'a\nb',
    'a\tb',
    '\0',
    '\x7f',
    '\x85',
    '\ud800',
    'a\udc00b',
    1,
    null,
    ['x'],
    {},
  ],
  email: [
    '',
    'jane',
    '@example.com',
    'jane@',
    'jane@localhost',
    'jane@@example.com',
    'jane@example..com',
    '.jane@example.com',
    'jane.@example.com',
    'ja..ne@example.com',
    'jane@-example.com',
    'jane@example-.com',
    'jane@example.c',
    'jane@example.123',
    'jane doe@example.com',
    'jane@example.com\n',
    'jane@example.com\r\nBcc: joe@example.com',
    'Jane <jane@example.com>',
    'jane@example.com,joe@example.com',
    `${'a'.repeat(65)}@example.com`,
    `jane@${'a'.repeat(64)}.com`,
    `jane@${'abcdefgh.'.repeat(28)}com`,
    `${'a.'.repeat(30_000)}@`,
    1,
  ],
  notification_date: [
    '',
    '2026-02-29',
    '1900-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-04-31',
    '2026-1-1',
    20260101,
  ],
  title: ['', 'x'.repeat(501), 'a\0b', '\udfff', null],
  category: ['', 'x'.repeat(101), '\ud800\ud800'],
  imageUrl: [
    '',
    '/a.png',
    'example.com/a.png',
    '//example.com/a.png',
    'ftp://example.com/a.png',
    'javascript:alert(1)',
    'data:image/png;base64,AA==',
    'http:example.com',
    'http:/example.com',
    'https://',
    'https://exa mple.com',
    'https://example.com/a b',
    ' https://example.com/a',
    'https://example.com/\n',
    'https://example.com:99999/',
    `https://example.com/${'x'.repeat(2029)}`,
  ],
};

t.test('good values come back unchanged', async (t) => {
  const app = await startApp(t);
  for (const [field, values] of Object.entries(GOOD)) {
    for (const value of values) {
      const answer = await app.call('POST', '/alert', { body: { ...ALERT, [field]: value } });
      t.ok(answer.status === 200 || answer.status === 201, `${field} ${value.slice(0, 60)}`);
      t.equal(answer.json()[field], value);
    }
  }
});

t.test('a bad value is a 422 that names its field and repeats nothing of it', async (t) => {
  const app = await startApp(t);
  for (const [field, values] of Object.entries(BAD)) {
    for (const value of values) {
      const answer = await app.call('POST', '/alert', { body: { ...ALERT, [field]: value } });
      const name = `${field} ${JSON.stringify(value).slice(0, 60)}`;
      t.equal(answer.status, 422, name);
      const errors = answer.json().errors as { field: string; message: string }[];
      t.same(
        errors.map((error) => error.field),
        [field],
        name,
      );
      t.match(errors[0]?.message, /^expected /, name);
    }
  }
  const count = app.writers.get('main')!.prepare('SELECT count(*) FROM alerts').pluck().get();
  t.equal(count, 0, 'nothing was written');
});

t.test('every wrong or missing field is named, each once', async (t) => {
  const app = await startApp(t);
  const cases: readonly [unknown, readonly string[]][] = [
    [{}, ['movieId', 'email', 'notification_date', 'title', 'category', 'imageUrl']],
    [{ ...ALERT, email: '\0', title: 1 }, ['email', 'title']],
    [[], ['body']],
    [null, ['body']],
    ['x', ['body']],
  ];
  for (const [body, fields] of cases) {
    const answer = await app.call('POST', '/alert', {
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' },
    });
    t.equal(answer.status, 422);
    const errors = answer.json().errors as { field: string }[];
    t.same(
      errors.map((error) => error.field),
      fields,
    );
  }
});

t.test('the schema describes itself as JSON Schema', async (t) => {
  like(t, z.toJSONSchema(alert), {
    type: 'object',
    required: ['movieId', 'email', 'notification_date', 'title', 'category', 'imageUrl'],
    properties: {
      movieId: { type: 'string', minLength: 1, maxLength: 128, not: { enum: ['.', '..'] } },
      email: { type: 'string', format: 'email', maxLength: 254 },
      notification_date: { type: 'string', format: 'date' },
      imageUrl: { type: 'string', format: 'iri', maxLength: 2048 },
    },
  });
});
