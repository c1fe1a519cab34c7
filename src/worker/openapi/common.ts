import { z } from 'zod';
import type { Parameter, RouteDeclaration } from '../../contract/route.ts';
import { allCodes, type Code } from '../../platform/errors.ts';
import { KEY_HEADER } from '../idempotency-key.ts';

/** Error codes of every route. */
const ANY: readonly Code[] = [
  'malformed_request',
  'uri_too_long',
  'expectation_failed',
  'headers_too_large',
  'overloaded',
  'internal',
];
/** Error codes of every route but the health probes: these are not counted, and are also served by a standby. */
const COUNTED: readonly Code[] = ['rate_limited', 'standby'];
/** Error codes of routes that need a scope, and so read data. */
const SCOPED: readonly Code[] = ['unauthorized', 'forbidden', 'storage_corrupt'];
/** Error codes of routes that refuse undeclared query parameters. */
const QUERY: readonly Code[] = ['invalid_request'];
/** Error codes of routes that write. */
const WRITE: readonly Code[] = [
  'invalid_request',
  'writer_busy',
  'writer_mismatch',
  'write_timeout',
  'write_undecided',
  'not_ready',
  'replication_timeout',
  'storage_full',
  'storage_reserved',
  'replica_in_use',
  'idempotency_in_progress',
  'idempotency_mismatch',
];
/** Error codes of routes with a body. */
const BODY: readonly Code[] = ['too_large', 'unsupported_media_type', 'request_timeout', 'invalid_request'];
const JSON_BODY: readonly Code[] = ['malformed_json'];

/** The headers that every write takes. */
const WRITE_HEADERS: Readonly<Record<string, Parameter>> = {
  Durability: {
    schema: z.enum(['local', 'replicated']),
    description:
      'When the write is answered: when it is on the disk of this machine, or when the replica holds it too.',
  },
  'Idempotency-Key': {
    schema: z.string().regex(KEY_HEADER),
    description:
      'Names the request, so that it can safely be sent again: it is applied once, and a repetition is answered as the first was, with the header Idempotent-Replayed. Up to 255 printable ASCII characters, in quotes or bare; a UUID is a good one. Kept for a day.',
    example: '"5f0c7a1e-7a52-4b7e-9d0c-0a8a2f6f0d0e"',
  },
};

const WRITE_ANSWER_HEADERS: Readonly<Record<string, string>> = {
  Durability: '`replicated` when the replica holds the write.',
  'Idempotent-Replayed':
    '`true` when this is the answer to an earlier request with the same Idempotency-Key.',
};

/** An error's body, RFC 9457. */
export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'Names the problem; there is no page behind it.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'The same name for those who would rather not parse a URN.' }),
    request_id: z.string().optional().meta({ description: 'Also in X-Request-Id, and in the log.' }),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'One entry for each wrong field.' }),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457).' });

/** @returns whether a route changes something */
function isWrite({ method }: RouteDeclaration): boolean {
  return method !== 'get';
}

/** @returns every error code of a route, its own and those of its kind, each once, in the order of all codes */
export function codesOf(route: RouteDeclaration): readonly Code[] {
  const all = new Set<Code>([...ANY, ...(route.errors ?? [])]);
  const add = (codes: readonly Code[]) => {
    for (const code of codes) all.add(code);
  };
  if (route.rate !== 'none') add(COUNTED);
  if (route.scope !== 'public') add(SCOPED);
  if (route.scope === 'read' || route.scope === 'write') add(QUERY);
  if (isWrite(route)) add(WRITE);
  if (route.body) add(BODY);
  if (route.body?.['application/json']) add(JSON_BODY);
  return (Object.keys(allCodes()) as Code[]).filter((code) => all.has(code));
}

/** @returns every header that a route takes, its own and those of its kind */
export function headersOf(route: RouteDeclaration): Readonly<Record<string, Parameter>> {
  return { ...(isWrite(route) && WRITE_HEADERS), ...route.headers };
}

/** @returns the descriptions of the headers that the answers of this kind of route have */
export function answerHeadersOf(route: RouteDeclaration): Readonly<Record<string, string>> {
  return isWrite(route) ? WRITE_ANSWER_HEADERS : {};
}
