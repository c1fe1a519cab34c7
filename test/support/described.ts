import { AssertionError } from 'node:assert';
import type { IncomingHttpHeaders } from 'node:http';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Feature } from '../../src/contract/feature.ts';
import { app as about, features as allFeatures } from '../../src/features/features.ts';
import { describeApi } from '../../src/worker/openapi/describe.ts';
import type { OpenApiDocument, Operation } from '../../src/worker/openapi/document.ts';

/** They hold values, not schemas. */
const ANNOTATIONS = ['example', 'examples'];

/** Of other types a schema says only what generators of clients make of them. */
const JSON_TYPE = /^application\/(?:.+\+)?json$/;

export interface DescribedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Holds answers against the description of the API. */
export class Described {
  readonly document: OpenApiDocument;
  readonly #ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
  readonly #paths: readonly { readonly regexp: RegExp; readonly path: string }[];
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    this.document = document;
    formats.default(this.#ajv);
    // A URL that may have other than ASCII characters in it.
    this.#ajv.addFormat('iri', (value) => URL.canParse(value));
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      this.#ajv.addSchema(forAjv(schema), `component:${name}`);
    }
    this.#paths = Object.keys(document.paths).map((path) => ({
      path,
      regexp: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
    }));
  }

  /** @returns the operation that a request goes to; undefined when there is none at its path or for its method */
  operationOf(
    method: string,
    target: string,
  ): { readonly path: string; readonly operation: Operation } | undefined {
    const pathname = target.replace(/^https?:\/\/[^/]*/, '').replace(/\?.*/s, '');
    // A path without a parameter is meant before one with.
    for (const { regexp, path } of this.#paths.toSorted(
      (a, b) => Number(a.path.includes('{')) - Number(b.path.includes('{')),
    )) {
      const operation = this.document.paths[path]![method === 'HEAD' ? 'get' : method.toLowerCase()];
      if (operation && regexp.test(pathname)) return { path, operation };
    }
    return undefined;
  }

  /**
   * What no operation serves must be a problem document; what one does must be as it is described.
   * @throws AssertionError with what to mend
   */
  check(method: string, target: string, answer: DescribedAnswer): void {
    const found = this.operationOf(method, target);
    const type = answer.headers['content-type']?.split(';')[0];
    const name = `${method} ${found?.path ?? target}: ${answer.status} ${type ?? 'without a body'}`;
    if (!found) {
      // A request that is described nowhere: 404, 405, or OPTIONS. What is no problem is another test's matter.
      if (type === 'application/problem+json' && method !== 'HEAD') {
        this.#validate(name, { $ref: '#/components/schemas/Problem' }, answer);
      }
      return;
    }
    const response = found.operation.responses[answer.status];
    if (!response) fail(name, 'this status is not described', answer);
    if (method === 'HEAD') return;
    if (answer.text === '' && (!response.content || answer.status === 304)) return;
    const content = response.content?.[type ?? ''];
    if (!content) fail(name, 'this media type is not described', answer);
    if (content.schema && JSON_TYPE.test(type!)) this.#validate(name, content.schema, answer);
  }

  #validate(name: string, schema: object, answer: DescribedAnswer): void {
    let validate = this.#validators.get(name);
    if (!validate) {
      validate = this.#ajv.compile(forAjv(schema));
      this.#validators.set(name, validate);
    }
    if (validate(JSON.parse(answer.text))) return;
    fail(name, this.#ajv.errorsText(validate.errors, { dataVar: 'body' }), answer);
  }
}

function forAjv(schema: object): object {
  return JSON.parse(JSON.stringify(closed(schema)).replaceAll('"#/components/schemas/', '"component:'));
}

/** Clients put up with members that they do not know; here a member that is not described is a mistake. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const members = Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, ANNOTATIONS.includes(name) ? value : closed(value)]),
  );
  const isObject =
    members.type === 'object' && 'properties' in members && !('additionalProperties' in members);
  return isObject ? { ...members, additionalProperties: false } : members;
}

function fail(name: string, problem: string, answer: DescribedAnswer): never {
  throw new AssertionError({
    message: `${name}: ${problem}. Describe it in its route.\n${answer.text.slice(0, 500)}`,
  });
}

/** @returns what holds answers against the description of these features; made once for those of the product */
export async function describedBy(features: readonly Feature[]): Promise<Described> {
  if (features !== allFeatures) return new Described(await describeApi({ about, features, config: {} }));
  product ??= describeApi({ about, features: allFeatures, config: {} }).then(
    (document) => new Described(document),
  );
  return product;
}

let product: Promise<Described> | undefined;
