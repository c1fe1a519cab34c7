import { z } from 'zod';
import type { Parameter, RouteDeclaration } from '../../contract/route.ts';
import { allCodes, type Code } from '../../platform/errors.ts';
import { KEY_HEADER } from '../idempotency-key.ts';

/** What any request may get. */
const ANY: readonly Code[] = [
  'malformed_request',
  'uri_too_long',
  'expectation_failed',
  'headers_too_large',
  'overloaded',
  'internal',
];
/** What any request may get but those that tell whether the system lives: they are counted, and served where it leads. */
const COUNTED: readonly Code[] = ['rate_limited', 'standby'];
/** What any request may get that needs a scope, and so reads data. */
const SCOPED: readonly Code[] = ['unauthorized', 'forbidden', 'storage_corrupt'];
/** What any request may get whose route refuses query parameters that it does not take. */
const QUERY: readonly Code[] = ['invalid_request'];
/** What any request may get that writes. */
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
/** What any request may get that has a body. */
const BODY: readonly Code[] = ['too_large', 'unsupported_media_type', 'request_timeout', 'invalid_request'];
const JSON_BODY: readonly Code[] = ['malformed_json'];

/** The headers that any write takes. */
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

/** @returns every code that a route may answer, its own and those of its kind, each once, in the order of the table */
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

/** @returns what the headers mean that answers of its kind have */
export function answerHeadersOf(route: RouteDeclaration): Readonly<Record<string, string>> {
  return isWrite(route) ? WRITE_ANSWER_HEADERS : {};
}
