import type { SystemStatus } from '../../child/messages.ts';
import { Failure } from '../../errors.ts';
import type { Routes } from '../../feature.ts';
import { sendJson } from './json.ts';

const RETRY_AFTER_SECONDS = 1;

/**
 * `GET /health`: this process answers. `GET /ready`: the system as a whole can serve, or a 503 that names what
 * is missing. What is out of order while the rest serves stands in `degraded`.
 */
export function probes(route: Routes, status: () => SystemStatus): void {
  route.get('/health', 'public', (ctx) => sendJson(ctx, 200, { service: 'online' }));

  route.get('/ready', 'public', (ctx) => {
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
