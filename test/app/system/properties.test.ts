import { connect } from 'node:net';
import fc, { type Arbitrary } from 'fast-check';
import t from 'tap';
import { features } from '../../../src/features/features.ts';
import type { Content, Operation, Parameter } from '../../../src/worker/openapi/document.ts';
import { describedBy } from '../../support/described.ts';
import { request } from '../../support/http.ts';
import { start } from '../../support/system.ts';
import { alertOf } from '../support/alert-of.ts';
import { SchemaArbitraries } from '../support/arbitrary.ts';
import { form, IMAGES, upload } from '../support/images.ts';

/** FUZZ_RUNS=100000 FUZZ_SEED=7 npm test -- test/app/system/properties.test.ts --timeout=0 is a long search elsewhere. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 120);
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_124);

const described = await describedBy(features);
const arbitraries = new SchemaArbitraries(described.document);

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body?: Buffer;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];
const TYPES = [
  'application/json',
  'multipart/form-data',
  'text/plain',
  'multipart/form-data; boundary=',
  'x/y',
  'a',
];
/** Names that programs treat in a way of their own. */
const NASTY = [
  '__proto__',
  'constructor',
  'toString',
  '',
  '.',
  '..',
  '%',
  '%00',
  '%2e%2e%2f',
  '\u202e',
  "'--",
  '<b>',
  '\r\n',
];

const junkText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(...NASTY),
);
/** What Node sends in a header at all. */
const headerText = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
  fc.stringMatching(/^[\t -~\u0080-\u00ff]{0,40}$/),
);
const junkHeaders = fc.dictionary(
  fc.constantFrom(
    ...[
      'Accept',
      'Accept-Encoding',
      'Authorization',
      'Content-Encoding',
      'Cookie',
      'Durability',
      'Host',
      'If-Match',
    ],
    ...[
      'If-None-Match',
      'Idempotency-Key',
      'Origin',
      'Range',
      'X-Forwarded-For',
      'X-Request-Id',
      'X-HTTP-Method-Override',
    ],
  ),
  headerText,
  { maxKeys: 3 },
);
const junkBody = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  fc.json({ maxDepth: 6 }).map((text) => Buffer.from(text)),
  fc
    .constantFrom('[', '{"a":', 'null', '[]', `${'['.repeat(30_000)}`, '\ufeff{}')
    .map((text) => Buffer.from(text)),
);
const escaped = (text: string) => encodeURIComponent(text.toWellFormed());

/** Often what the schema asks for, sometimes what is known to exist, sometimes anything. */
function valueFor(parameter: Parameter, known: Readonly<Record<string, string>>): Arbitrary<string> {
  const valid = arbitraries.of(parameter.schema).map(String);
  const existing = known[parameter.name];
  return fc.oneof(
    { weight: 3, arbitrary: valid },
    { weight: existing === undefined ? 0 : 3, arbitrary: fc.constant(existing ?? '') },
    { weight: 1, arbitrary: junkText },
  );
}

function bodyOf(content: Content | undefined): Arbitrary<{ body?: Buffer; headers: Record<string, string> }> {
  const junk = fc
    .record({ body: junkBody, type: fc.option(fc.oneof(fc.constantFrom(...TYPES), headerText)) })
    .map(({ body, type }) => ({ body, headers: { ...(type !== null && { 'Content-Type': type }) } }));
  const none = fc.constant({ headers: {} });
  const json = content?.['application/json']?.schema;
  if (json) {
    const headers = { 'Content-Type': 'application/json' };
    const valid = arbitraries.of(json);
    // One member replaced by anything: what is almost right goes deepest.
    const almost = fc.tuple(valid, fc.nat(), fc.jsonValue()).map(([value, place, other]) => {
      const names = Object.keys(Object(value));
      return { ...Object(value), [names[place % (names.length || 1)] ?? 'x']: other };
    });
    const sent = fc.oneof({ weight: 2, arbitrary: valid }, almost).map((value) => ({
      headers,
      body: Buffer.from(JSON.stringify(value)),
    }));
    return fc.oneof({ weight: 4, arbitrary: sent }, junk, none);
  }
  if (content?.['multipart/form-data']) {
    const image = fc.constantFrom(...Object.values(IMAGES));
    const whole = fc
      .tuple(image, fc.string({ unit: 'grapheme' }))
      .map(([bytes, name]) => upload(bytes, name.replace(/"/g, '')));
    const broken = fc
      .tuple(whole, fc.nat(), fc.uint8Array({ maxLength: 20 }))
      .map(([{ headers, body }, at, bytes]) => {
        const place = at % body.length;
        return {
          headers,
          body: Buffer.concat([
            body.subarray(0, place),
            Buffer.from(bytes),
            body.subarray(place + bytes.length),
          ]),
        };
      });
    const other = fc
      .tuple(junkText, junkBody)
      .map(([name, content]) => form({ name, filename: name, content }));
    return fc.oneof(whole, broken, other, junk, none);
  }
  return fc.oneof({ weight: 3, arbitrary: none }, junk);
}

/** A request of an operation: each part of it right, wrong, or missing. */
function requestOf(
  path: string,
  method: string,
  operation: Operation,
  known: Record<string, string>,
): Arbitrary<Sent> {
  const values = operation.parameters.map((parameter) =>
    fc
      .option(valueFor(parameter, known), { freq: parameter.required ? 100 : 2 })
      .map((value) => ({ parameter, value: value ?? undefined })),
  );
  return fc
    .record({
      values: fc.tuple(...values),
      extra: fc.oneof(
        { weight: 4, arbitrary: fc.constant([]) },
        fc.array(fc.tuple(junkText, junkText), { maxLength: 3 }),
      ),
      content: bodyOf(operation.requestBody?.content),
      headers: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, junkHeaders),
      asHead: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ values, extra, content, headers, asHead }) => {
      let target = path;
      const query: [string, string][] = [...extra];
      const own: Record<string, string> = {};
      for (const { parameter, value } of values) {
        if (parameter.in === 'path')
          target = target.replace(`{${parameter.name}}`, () => escaped(value ?? ''));
        else if (value === undefined) continue;
        else if (parameter.in === 'query') query.push([parameter.name, value]);
        else own[parameter.name] = value.replace(/[^\t -~]/g, '?');
      }
      const search = query.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&');
      return {
        method: method === 'get' && asHead === 0 ? 'HEAD' : method.toUpperCase(),
        target: search === '' ? target : `${target}?${search}`,
        ...content,
        headers: { ...content.headers, ...own, ...headers },
      };
    });
}

/** A request of nothing in particular. */
const anyRequest: Arbitrary<Sent> = fc.record({
  method: fc.constantFrom(...METHODS),
  target: fc
    .tuple(
      fc.constantFrom('/', '/alert', '/alert/movie/', '/movie/image/', '/docs/', '/ready', '//', '/%'),
      junkText,
      fc.boolean(),
    )
    .map(([start, rest, isRaw]) => start + (isRaw ? rest.replace(/[^!-~]/g, '%') : escaped(rest))),
  headers: junkHeaders,
  body: junkBody,
});

const isStream = ({ responses }: Operation) => 'text/event-stream' in (responses['200']?.content ?? {});
/** What changes the system itself is not for chance to try. */
const isOperators = ({ security }: Operation) => security.some(({ key }) => key === undefined);

t.test('whatever is sent, the answer is one that the description names, and never a 5xx', async (t) => {
  // Neither a slow machine nor a slow replica is what this is about.
  const system = await start(t, {
    OVERLOAD_LAG_MS: '0',
    HANG_TIMEOUT_MS: '60000',
    WRITE_DEADLINE_MS: '60000',
    REPLICA_SYNC_INTERVAL_MS: '50',
    REPLICATED_TIMEOUT_MS: '60000',
  });
  const alert = alertOf('known');
  await request(`${system.url}/alert`, { method: 'POST', body: alert });
  const { json: image } = await request(`${system.url}/movie/image`, {
    method: 'POST',
    ...upload(IMAGES['image/png']),
  });
  const known = { movieId: alert.movieId, id: image.id, file: 'init.js', 'If-None-Match': `"${image.id}"` };
  const from = system.lines.length;

  const requests = Object.entries(described.document.paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([method, operation]) => !isStream(operation) && (method === 'get' || !isOperators(operation)))
      .map(([method, operation]) => requestOf(path, method, operation, known)),
  );
  const counts: Record<string, number> = {};
  const property = fc.asyncProperty(fc.oneof(...requests, anyRequest), async (sent) => {
    const { method, target, headers, body } = sent;
    // It fails for what is not described.
    const { status } = await request(`${system.url}${target}`, { method, headers, body });
    counts[`${status}`] = (counts[`${status}`] ?? 0) + 1;
    if (status >= 500) throw new Error(`${status}`);
  });
  t.comment(`seed ${SEED}, ${RUNS} runs`);
  await fc.assert(property, { seed: SEED, numRuns: RUNS });
  t.comment(`answers by status: ${JSON.stringify(counts)}`);
  t.ok(counts['200']! > RUNS / 20 && counts['201']! > 0, 'many requests succeed, and some create something');
  t.ok(counts['422']! > RUNS / 50 && counts['404']! > RUNS / 50, 'and many are refused');
  const complaints = system.lines
    .slice(from)
    .filter(({ role, level, msg }) => (level === 'error' && role !== 'primary') || / died: /.test(msg));
  t.same(complaints, [], 'nothing was logged as our error, and no worker died');
});

t.test('whatever bytes come, the connection ends with a 4xx or without an answer', async (t) => {
  const system = await start(t);
  const { hostname, port } = new URL(system.url);
  const line = fc.constantFrom(
    ...[
      'GET / HTTP/1.1',
      'POST /alert HTTP/1.1',
      'GET /alert?x HTTP/1.0',
      'GET http://[::1/x HTTP/1.1',
      'OPTIONS * HTTP/1.1',
    ],
    ...[
      'Host: x',
      'Host:',
      'Content-Length: 3',
      'Content-Length: -1',
      'Content-Length: 99999999999999999999',
    ],
    ...[
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: x, chunked',
      'Expect: 100-continue',
      'Expect: junk',
      'Connection: close',
    ],
    ...[
      'Content-Type: application/json',
      'Upgrade: websocket',
      'Connection: upgrade',
      'CONNECT x:1 HTTP/1.1',
      '',
      '0',
      '5\r\nhello',
    ],
  );
  const bytes = fc
    .array(fc.oneof({ weight: 6, arbitrary: line }, fc.string({ unit: 'binary-ascii' })), {
      minLength: 1,
      maxLength: 12,
    })
    .map((lines) => `${lines.join('\r\n')}\r\n\r\n`);
  const property = fc.asyncProperty(bytes, async (sent) => {
    const text = await exchange(hostname, Number(port), sent);
    for (const [, status] of text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)) {
      if (Number(status) >= 500) throw new Error(text);
    }
  });
  await fc.assert(property, { seed: SEED, numRuns: RUNS / 2 });
  t.equal((await request(`${system.url}/health`)).status, 200);
});

/** Sends bytes, ends its side, and collects what comes until the other side ends too. */
async function exchange(host: string, port: number, sent: string): Promise<string> {
  const socket = connect({ host, port, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  socket
    .on('data', (chunk) => chunks.push(chunk))
    // A reset is one way for the server to end it.
    .on('error', () => undefined)
    .on('end', () => socket.end())
    .on('close', () => resolve());
  socket.end(sent, 'latin1');
  await promise;
  return Buffer.concat(chunks).toString('latin1');
}
