import type { RouterContext } from '@koa/router';
import type { Guard, Routes } from '../../contract/feature.ts';
import { Failure } from '../../errors.ts';
import type { SystemStatus } from '../../runtime/messages.ts';
import { sendJson } from './json.ts';

/** They answer under any load, and to anybody: who asks them decides about a restart. */
export const PROBES: ReadonlySet<string> = new Set(['/health', '/ready']);

const RETRY_AFTER_SECONDS = 1;

/**
 * `GET /health`: this process answers. `GET /ready`: the system as a whole can serve, or a 503 that names what
 * is missing. What is out of order while the rest serves stands in `degraded`. `GET /ready?verbose`: for the
 * operator all that is known, of the replication and of the drills too, whether it is ready or not; it would tell owners of
 * keys how much the others do. Everybody else gets what `/ready` says, lest a load balancer take it for an error.
 */
export function probes(route: Routes, status: () => SystemStatus, guard: Guard): void {
  route.get('/health', 'public', (ctx) => sendJson(ctx, 200, { service: 'online' }));

  route.get('/ready', 'public', async (ctx) => {
    // Not ctx.URL: that is made of the Host too, which may be no host at all.
    if (ctx.query.verbose !== undefined && (await isOperator(ctx, guard))) {
      const known = status();
      if (!known.ready) ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
      sendJson(ctx, known.ready ? 200 : 503, aged(known));
      return;
    }
    const { ready, notReady, degraded } = status();
    if (!ready) {
      throw new Failure('not_ready', 'The system cannot serve yet', {
        errors: notReady.map(({ name, reason }) => ({ field: name, message: reason })),
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    sendJson(ctx, 200, degraded.length === 0 ? { ready: true } : { ready: true, degraded });
  });
}

/** How old the last drill is, only whoever asks knows. */
function aged(status: SystemStatus): object {
  const { drill } = status;
  if (!drill?.last) return status;
  return { ...status, drill: { ...drill, ageMs: Math.max(0, Date.now() - Date.parse(drill.last.at)) } };
}

async function isOperator(ctx: RouterContext, guard: Guard): Promise<boolean> {
  try {
    await guard(ctx, 'operator');
    return true;
  } catch (failure) {
    if (failure instanceof Failure) return false;
    throw failure;
  }
}
