import t from 'tap';
import { features } from '../../../src/features/features.ts';
import type { Content } from '../../../src/worker/openapi/document.ts';
import { startApp } from '../../support/app.ts';
import { describedBy } from '../../support/described.ts';
import { like } from '../../support/like.ts';

t.test('what is served and what is described are the same paths with the same methods', async (t) => {
  const app = await startApp(t);
  const described = await describedBy(features);
  for (const path of Object.keys(described.document.paths)) {
    const target = path.replace(/\{\w+\}/g, 'x');
    const methods = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'].filter((method) =>
      described.operationOf(method, target),
    );
    const answer = await app.call('OPTIONS', target);
    t.strictSame(
      [answer.status, answer.headers.allow],
      [204, [...methods, 'OPTIONS'].sort().join(', ')],
      path,
    );
  }
});

t.test('the document is served, and says itself what it is', async (t) => {
  const app = await startApp(t, { env: { PUBLIC_URL: 'https://api.example.org/' } });
  const answer = await app.call('GET', '/openapi.json');
  t.equal(answer.status, 200);
  like(t, answer.json(), { openapi: /^3\.1\./, servers: [{ url: 'https://api.example.org' }] });
  const again = await app.call('GET', '/openapi.json', {
    headers: { 'If-None-Match': answer.headers.etag! },
  });
  t.equal(again.status, 304);
  t.equal(again.text, '');
});

t.test('what generators and readers rely on holds for every operation', async (t) => {
  const { document } = await describedBy(features);
  const ids: string[] = [];
  for (const [path, operations] of Object.entries(document.paths)) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const [method, operation] of Object.entries(operations)) {
      const { operationId, parameters, responses, summary } = operation;
      ids.push(operationId);
      t.match(operationId, /^[a-z][A-Za-z]+$/);
      t.type(summary, 'string');
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      t.same(
        inPath.map(({ name }) => name),
        names,
        `${method} ${path}: each parameter of the path is described`,
      );
      t.ok(inPath.every(({ required }) => required));
      t.equal(new Set(parameters.map(({ name, in: place }) => `${place} ${name}`)).size, parameters.length);
      t.ok(
        Object.keys(responses).some((status) => /^2/.test(status)),
        `${method} ${path} may succeed`,
      );
      t.strictSame(
        Object.keys(responses).filter((status) => !/^[2-5]\d\d$/.test(status)),
        [],
      );
      t.ok('500' in responses, 'no operation claims that it cannot fail');
    }
  }
  t.equal(new Set(ids).size, ids.length, 'each has a name of its own');
});

t.test('each JSON body has a name for generated clients, and a file is bytes', async (t) => {
  const { document } = await describedBy(features);
  const unnamed: string[] = [];
  const bytes: string[] = [];
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { requestBody, responses }] of Object.entries(operations)) {
      const bodies: [string, Content][] = Object.entries(responses).map(([status, { content = {} }]) => [
        status,
        content,
      ]);
      if (requestBody) bodies.unshift(['request', requestBody.content]);
      for (const [which, content] of bodies) {
        for (const [type, { schema }] of Object.entries(content)) {
          const name = `${method} ${path} ${which} ${type}`;
          if (schema?.format === 'binary') bytes.push(name);
          else if (/json|multipart/.test(type) && schema?.$ref === undefined) unnamed.push(name);
        }
      }
    }
  }
  t.strictSame(
    unnamed,
    ['get /openapi.json 200 application/json'],
    'but this one, which has a standard for its name',
  );
  t.strictSame(bytes, [
    'post /file request application/octet-stream',
    'get /file/{id} 200 application/octet-stream',
  ]);
});

t.test('every example is as its own schema says, and every reference leads somewhere', async (t) => {
  const described = await describedBy(features);
  const { document } = described;
  let examples = 0;
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      for (const [status, { content = {} }] of Object.entries(responses)) {
        for (const [type, { example, examples: named = {} }] of Object.entries(content)) {
          const values = Object.values(named as Record<string, { value: unknown }>).map(({ value }) => value);
          for (const value of example === undefined ? values : [example, ...values]) {
            examples += 1;
            described.check(method.toUpperCase(), path, {
              status: Number(status),
              headers: { 'content-type': type },
              text: JSON.stringify(value),
            });
          }
        }
      }
    }
  }
  t.ok(examples > 50, `${examples} examples`);
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g);
  const names = [...references].map(([, name]) => name!);
  t.ok(names.length > 50, `${names.length} references`);
  t.strictSame(
    names.filter((name) => !document.components.schemas[name]),
    [],
  );
});

t.test('an answer that is not described fails its test', async (t) => {
  const described = await describedBy(features);
  const headers = { 'content-type': 'application/json' };
  const cases: readonly [string, string, number, string][] = [
    ['GET', '/health', 418, '{}'],
    ['GET', '/health', 200, '{"service":"offline"}'],
    ['GET', '/health', 200, '{"service":"online","more":1}'],
    ['GET', '/note?limit=1', 200, '{"items":[{}]}'],
    ['GET', '/note/x', 404, '{"code":"not_found"}'],
    ['DELETE', '/note/x', 204, ''],
  ];
  for (const [method, path, status, text] of cases) {
    t.throws(
      () => described.check(method, path, { status, headers, text }),
      /Describe it/,
      `${path} ${text}`,
    );
  }
  t.doesNotThrow(() =>
    described.check('GET', '/health', { status: 200, headers, text: '{"service":"online"}' }),
  );
});
