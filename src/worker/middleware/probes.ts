import type { RouterContext } from '@koa/router';
import { z } from 'zod';
import type { Guard } from '../../contract/feature.ts';
import { routesWith } from '../../contract/route.ts';
import type { SystemStatus } from '../../messages/messages.ts';
import { Failure } from '../../platform/errors.ts';
import { sendJson } from './json.ts';

/** Probes are answered under any load and for anybody: their result may decide about a restart. */
export const PROBES: ReadonlySet<string> = new Set(['/health', '/ready']);

const RETRY_AFTER_SECONDS = 1;

interface ProbeNeeds {
  readonly status: () => SystemStatus;
  readonly guard: Guard;
}

const trouble = z.object({ name: z.string(), reason: z.string() }).meta({ id: 'Trouble' });
const ready = z
  .object({
    ready: z.boolean(),
    notReady: z.array(trouble).optional(),
    degraded: z
      .array(trouble)
      .optional()
      .meta({ description: 'What is out of order while the rest serves.' }),
    replication: z.looseObject({}).optional().meta({ description: 'With ?verbose: how far the replica is.' }),
    releases: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: 'With ?verbose: the release of each process.' }),
    drill: z.looseObject({}).optional().meta({ description: 'With ?verbose: how the last drill went.' }),
  })
  .meta({ id: 'Readiness' });

const defineRoute = routesWith<ProbeNeeds>();

/**
 * `GET /health`: this process answers.
 *
 * `GET /ready`: 200 when the system as a whole can serve; 503 with the reasons when it cannot; 404 when it has handed
 * over, by which HAProxy sends no new requests, but lets those under way end. `degraded` lists what is out of order
 * while the rest serves.
 *
 * `GET /ready?verbose`: for the operator alone, everything that is known, ready or not, with replication and drills. It
 * would tell owners of keys how much the others do. Everybody else gets the answer of `/ready`, so that a load balancer
 * does not take a refusal for an error.
 */
export const probes = [
  defineRoute({
    method: 'get',
    path: '/health',
    scope: 'public',
    rate: 'none',
    id: 'getHealth',
    summary: 'Whether a worker answers',
    answers: {
      200: {
        description: 'It does.',
        content: {
          'application/json': {
            schema: z.object({ service: z.literal('online') }).meta({ id: 'Health' }),
            example: { service: 'online' },
          },
        },
      },
    },
    prepare: () => (ctx) => sendJson(ctx, 200, { service: 'online' }),
  }),
  defineRoute({
    method: 'get',
    path: '/ready',
    scope: 'public',
    rate: 'none',
    id: 'getReady',
    summary: 'Whether the system as a whole can serve',
    query: {
      verbose: {
        schema: { type: 'string' },
        description: 'With any value: all that is known, of the replication and of the drills too.',
      },
    },
    answers: {
      200: {
        description: 'It can.',
        content: { 'application/json': { schema: ready, example: { ready: true } } },
      },
      503: {
        description: 'It cannot. With ?verbose the body is as that of 200, else it is a problem document.',
        content: {
          'application/json': {
            schema: ready,
            example: { ready: false, notReady: [{ name: 'writer', reason: 'starting' }], degraded: [] },
          },
        },
      },
    },
    errors: ['not_ready', 'not_found'],
    prepare:
      ({ status, guard }) =>
      async (ctx) => {
        if (ctx.query.verbose !== undefined && (await isOperator(ctx, guard))) {
          const known = status();
          if (!known.ready) ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
          sendJson(ctx, known.ready ? 200 : 503, aged(known));
          return;
        }
        const { ready, isHandedOver, notReady, degraded } = status();
        if (isHandedOver) throw new Failure('not_found', 'This system has handed over: the other one serves');
        if (!ready) {
          throw new Failure('not_ready', 'The system cannot serve yet', {
            errors: notReady.map(({ name, reason }) => ({ field: name, message: reason })),
            retryAfterSeconds: RETRY_AFTER_SECONDS,
          });
        }
        sendJson(ctx, 200, degraded.length === 0 ? { ready: true } : { ready: true, degraded });
      },
  }),
];

/** Adds the age of the last drill, which depends on the time of the request. */
function aged(status: SystemStatus): object {
  const { drill } = status;
  if (!drill?.last) return status;
  return { ...status, drill: { ...drill, ageMs: Math.max(0, Date.now() - Date.parse(drill.last.at)) } };
}

async function isOperator(ctx: RouterContext, guard: Guard): Promise<boolean> {
  try {
    await guard(ctx, { scope: 'operator', rate: 'none' });
    return true;
  } catch (failure) {
    if (failure instanceof Failure) return false;
    throw failure;
  }
}
