import type { App } from '../../contract/app.ts';
import type {
  JsonSchema,
  Content as RouteContent,
  RouteDeclaration,
  Parameter as RouteParameter,
} from '../../contract/route.ts';
import { allCodes, type Code, Failure } from '../../platform/errors.ts';
import type { Scope } from '../../platform/scope.ts';
import { PROBLEM_TYPE, problemOf } from '../middleware/problem.ts';
import { answerHeadersOf, codesOf, headersOf, problemSchema } from './common.ts';
import { type Direction, Schemas } from './schemas.ts';

/** An OpenAPI document (https://spec.openapis.org/oas/v3.1.1.html), as far as it is used here. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> } & JsonSchema;
  readonly [member: string]: unknown;
}

export interface Operation {
  readonly operationId: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: true; readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
  readonly [member: string]: unknown;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: JsonSchema;
  readonly [member: string]: unknown;
}

export interface Response {
  readonly description: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly content?: Content;
}

export type Content = Readonly<
  Record<string, { readonly schema?: JsonSchema; readonly [member: string]: unknown }>
>;

export interface DocumentOptions {
  readonly about: Pick<App, 'title' | 'description'>;
  readonly version: string;
  /** The base URL of the API for clients; `/` for the place from which they got the document. */
  readonly url: string;
}

/** Headers that answers with these error statuses have. */
const ERROR_HEADERS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'WWW-Authenticate': 'How to send a key (RFC 6750), and what was wrong with the one that was sent.' },
  403: { 'WWW-Authenticate': 'The scope that is needed (RFC 6750).' },
  429: { 'Retry-After': 'Seconds until the window of the limit ends.' },
  503: { 'Retry-After': 'Seconds until a retry makes sense.' },
};

/** The part of the description that is the same for every app. */
const COMMON = `Every answer carries \`X-Request-Id\`; every error is a problem document (RFC 9457) with a stable \`code\`. A path that is
not listed here answers 404 \`not_found\`; a method that is not, 405 \`method_not_allowed\` with \`Allow\`. HEAD answers as
GET does, without a body. A 429 or 503 says with \`Retry-After\` when to come back.
Where requests are counted, \`RateLimit\` and \`RateLimit-Policy\` (draft-ietf-httpapi-ratelimit-headers) tell what is left.`;

/**
 * @param routes by the tag that groups them
 * @returns their OpenAPI description
 */
export function buildDocument(
  routes: Readonly<Record<string, readonly RouteDeclaration[]>>,
  { about, version, url }: DocumentOptions,
): OpenApiDocument {
  const schemas = new Schemas();
  const problem = schemas.add(problemSchema, 'output');
  const paths: Record<string, Record<string, Operation>> = {};
  for (const [tag, descriptions] of Object.entries(routes)) {
    for (const route of descriptions) {
      const path = route.path.replace(/:(\w+)/g, '{$1}');
      paths[path] ??= {};
      paths[path][route.method] = operationOf(route, tag, schemas, problem);
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: about.title,
      version,
      description: `${about.description}\n\n${COMMON}`,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url }],
    tags: Object.keys(routes).map((name) => ({ name })),
    paths,
    components: {
      schemas: schemas.components,
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description:
            'A key with the scope that the operation names, or one that includes it; `npm run keys` makes one. While there are none, none is needed on the machine itself.',
        },
      },
    },
  };
}

function operationOf(route: RouteDeclaration, tag: string, schemas: Schemas, problem: JsonSchema): Operation {
  const parameters = [
    ...Object.entries(route.params ?? {}).map((entry) => parameterOf('path', entry, schemas)),
    ...Object.entries(route.query ?? {}).map((entry) => parameterOf('query', entry, schemas)),
    ...Object.entries(headersOf(route)).map((entry) => parameterOf('header', entry, schemas)),
  ];
  return {
    tags: [tag],
    operationId: route.id,
    summary: route.summary,
    ...(route.detail !== undefined && { description: route.detail }),
    security: securityOf(route.scope),
    parameters,
    ...(route.body && {
      requestBody: { required: true as const, content: contentOf(route.body, 'input', schemas) },
    }),
    responses: responsesOf(route, schemas, problem),
  };
}

/** Since OpenAPI 3.1, roles may be listed for a scheme that is not OAuth, too. */
function securityOf(scope: Scope): Operation['security'] {
  if (scope === 'public') return [];
  // The empty requirement: on the machine itself no key is needed.
  if (scope === 'operator') return [{ key: ['admin'] }, {}];
  if (scope === 'metrics') return [{ key: ['metrics'] }, { key: ['admin'] }, {}];
  return [{ key: [scope] }];
}

function parameterOf(
  place: Parameter['in'],
  [name, { schema, told, description, example, required = false }]: [string, RouteParameter],
  schemas: Schemas,
): Parameter {
  return {
    name,
    in: place,
    required: required || place === 'path',
    description,
    schema: schemas.add(told ?? schema, 'input'),
    ...(example !== undefined && { example }),
  };
}

function contentOf(content: RouteContent, direction: Direction, schemas: Schemas): Content {
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema, example }]) => [
      type,
      {
        ...(schema && { schema: schemas.add(schema, direction) }),
        ...(example !== undefined && { example }),
      },
    ]),
  );
}

function responsesOf(
  route: RouteDeclaration,
  schemas: Schemas,
  problem: JsonSchema,
): Record<string, Response> {
  const responses: Record<string, Response> = {};
  for (const [status, { description, content, headers = {} }] of Object.entries(route.answers)) {
    responses[status] = {
      description,
      headers: headersWith({ ...answerHeadersOf(route), ...headers }),
      ...(content && { content: contentOf(content, 'output', schemas) }),
    };
  }
  const byStatus = Map.groupBy(codesOf(route), (code) => allCodes()[code].httpStatus);
  for (const [status, codes] of byStatus) {
    const own = responses[status];
    const titles = codes.map((code) => `\`${code}\`: ${allCodes()[code].title}.`);
    responses[status] = {
      description: [...(own ? [own.description] : []), ...titles].join('\n\n'),
      headers: {
        ...own?.headers,
        ...headersWith(ERROR_HEADERS[status] ?? {}),
      },
      content: { ...own?.content, [PROBLEM_TYPE]: problemContent(codes, problem) },
    };
  }
  return responses;
}

function problemContent(codes: readonly Code[], problem: JsonSchema): Content[string] {
  return {
    schema: { ...problem, properties: { code: { enum: codes } } },
    examples: Object.fromEntries(
      codes.map((code) => {
        const { title } = allCodes()[code];
        return [code, { summary: title, value: problemOf(new Failure(code, title), 'mWdV0Zp7Qk3x.1') }];
      }),
    ),
  };
}

function headersWith(own: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries({ 'X-Request-Id': 'Names the request, here and in the log.', ...own }).map(
      ([name, description]) => [name, { description, schema: { type: 'string' } }],
    ),
  );
}
