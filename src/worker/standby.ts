import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { noteDoor } from '../callers/doors.ts';
import type { SystemStatus } from '../messages/messages.ts';
import { Failure } from '../platform/errors.ts';
import { PrimaryClient } from '../runtime/primary-client.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { monotonicNowMs } from '../writer-client/protocol.ts';
import { Connections } from './connections.ts';
import { createHttpServer } from './http-server.ts';
import { PROBLEM_TYPE, problemHeaders, problemOf } from './middleware/problem.ts';
import { requestId } from './middleware/request-id.ts';
import { NO_STORE, securityHeaders } from './middleware/security-headers.ts';
import { OpsSessions } from './ops/sessions.ts';
import { listenUnreachably } from './unreachable-listener.ts';

const RETRY_AFTER_SECONDS = 1;
/** The operator's paths, for any method. */
const OPERATOR = /^\/(?:metrics|ops|ops\/[^?]*)(?:\?|$)/;

/**
 * The process that answers while the other system leads. It answers `/health`; shows the operator the state of the
 * system; and answers every other request with 503: this system stands by.
 */
export async function run(runtime: Runtime): Promise<void> {
  const { config, log, send } = runtime;
  let status: SystemStatus = { ready: false, notReady: [], degraded: [] };
  const headers = new Map(securityHeaders(config).ofJson.map(([name, value]) => [name, value]));
  headers.set('Cache-Control', NO_STORE);
  const server = createHttpServer(answer, log);
  server.on('request', runtime.countServed);
  const connections = new Connections(server);
  const primary = new PrimaryClient(send);
  const sessions = new OpsSessions(primary.ask, monotonicNowMs);
  let ops: Promise<RequestListener> | undefined;
  runtime.onMessage((message, handle) => {
    if (message.kind === 'connection') {
      send({ kind: 'accepted', id: message.id });
      if (!handle) return;
      if (message.door !== undefined) noteDoor(handle as Socket, message.door);
      connections.adopt(handle as Socket);
    } else if (message.kind === 'status') status = message.status;
    else if (message.kind === 'ops-secret') sessions.know(message.secret);
    else if (message.kind === 'told') primary.told(message.id, message.answer);
    else if (message.kind === 'drain')
      void connections.drain(message.timeoutMs).then(() => log.flush(() => process.exit(0)));
  });
  await runtime.standby();
  await listenUnreachably(server, join(config.DATA_DIR, 'run'), log);
  runtime.ready();

  /** Loaded at the first request to it, since it takes as much memory as the rest of this process. */
  async function loadOps(): Promise<RequestListener> {
    const { createStandbyOps } = await import('./standby-ops.ts');
    const { meter } = runtime;
    return createStandbyOps({
      config,
      log,
      meter,
      ask: primary.ask,
      sessions,
      draining: () => connections.draining,
    });
  }

  function answer(req: IncomingMessage, res: ServerResponse): void {
    if (OPERATOR.test(req.url ?? '')) {
      ops ??= loadOps();
      void ops.then((handle) => handle(req, res));
      return;
    }
    res.setHeaders(headers);
    if (connections.draining) res.setHeader('Connection', 'close');
    const isProbe = req.method === 'GET' || req.method === 'HEAD';
    const path = isProbe ? req.url?.split('?', 1)[0] : undefined;
    if (path === '/health') {
      reply(req, res, 200, 'application/json', { service: 'online' });
      return;
    }
    const failure = new Failure(path === '/ready' ? 'not_ready' : 'standby', 'Another system leads', {
      errors: status.notReady.map(({ name, reason }) => ({ field: name, message: reason })),
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
    const id = requestId(undefined);
    res.setHeader('X-Request-Id', id);
    for (const [name, value] of Object.entries(problemHeaders(failure))) res.setHeader(name, value);
    reply(req, res, failure.meaning.httpStatus, PROBLEM_TYPE, problemOf(failure, id));
  }
}

function reply(req: IncomingMessage, res: ServerResponse, status: number, type: string, value: object): void {
  const body = JSON.stringify(value);
  // The request's body is not read, so the next request on this connection would begin in the middle of it.
  if (req.headers['content-length'] ?? req.headers['transfer-encoding']) res.setHeader('Connection', 'close');
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  res.end(req.method === 'HEAD' ? undefined : body);
}
