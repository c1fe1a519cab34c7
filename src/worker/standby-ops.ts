import type { RequestListener } from 'node:http';
import Koa from 'koa';
import { doorOf } from '../callers/doors.ts';
import { isOwnName, misdirected } from '../callers/local-requests.ts';
import type { Config } from '../config/config.ts';
import type { Guard } from '../contract/feature.ts';
import { appMetrics } from '../features/features.ts';
import type { Meter } from '../metrics/meter.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Ask } from '../runtime/answers.ts';
import { logLateError } from './late-error.ts';
import { dispatch } from './middleware/dispatch.ts';
import { requestPipeline } from './middleware/request-pipeline.ts';
import { serve } from './middleware/served-route.ts';
import { opsRoutes } from './ops/routes.ts';
import type { OpsSessions } from './ops/sessions.ts';
import { RequestMeter } from './request-meter.ts';

export interface StandbyOpsOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly meter: Meter;
  readonly ask: Ask;
  readonly sessions: OpsSessions;
  readonly draining: () => boolean;
}

const BEARER = /^bearer +(\S+)$/i;

/** @returns a listener that serves the operator's page and the metrics while the other system leads */
export function createStandbyOps(options: StandbyOpsOptions): RequestListener {
  const { config, log, meter, ask, sessions, draining } = options;
  const guard = guardBySessions(sessions);
  const app = new Koa();
  app.on('error', (err: Error) => logLateError(log, err));
  const requests = new RequestMeter(meter);
  const answer = dispatch(serve(opsRoutes, { ask, sessions, appMetrics, draining, guard }, guard), [], guard);
  const pipeline = { log, requests, draining, overloaded: () => false, onDamage: () => {}, config };
  app.use(requestPipeline(pipeline, answer));
  const listener = app.callback();
  return (req, res) => void listener(req, res);
}

/** Keys are in the databases, which a standby does not read: only the Unix socket and sessions are accepted. */
function guardBySessions(sessions: OpsSessions): Guard {
  return (ctx, access) => {
    ctx.state.caller = { owner: '' };
    if (access?.scope === 'public') return;
    const door = doorOf(ctx.req);
    if (door === 'ops-unix') return;
    if (door === 'ops-tcp' && !isOwnName(ctx.req.headers)) throw misdirected();
    const session = BEARER.exec(ctx.req.headers.authorization ?? '')?.[1];
    if (session !== undefined && sessions.isSession(session)) return;
    throw new Failure(
      'unauthorized',
      'This system stands by, and reads no keys: npx ninelives ops on its machine prints a link, and its Unix socket (OPS_LISTEN) needs none',
      { headers: { 'WWW-Authenticate': 'Bearer realm="ninelives"' } },
    );
  };
}
