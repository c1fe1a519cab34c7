import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Failure } from '../errors.ts';
import type { SystemStatus } from '../runtime/messages.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { Connections } from './connections.ts';
import { createHttpServer } from './http-server.ts';
import { PROBLEM_TYPE, problemHeaders, problemOf } from './middleware/problem.ts';
import { requestId } from './middleware/request-id.ts';
import { NO_STORE, securityHeaders } from './middleware/security-headers.ts';

const RETRY_AFTER_SECONDS = 1;

/** Answers while the other system leads: that this process is there, and to all else that this system only stands by. */
export async function run(runtime: Runtime): Promise<void> {
  const { config, log, send } = runtime;
  let status: SystemStatus = { ready: false, notReady: [], degraded: [] };
  const headers = new Map(securityHeaders(config).ofJson.map(([name, value]) => [name, value]));
  headers.set('Cache-Control', NO_STORE);
  const server = createHttpServer(answer, log);
  server.on('request', runtime.countServed);
  const connections = new Connections(server);
  runtime.onMessage((message, handle) => {
    if (message.kind === 'connection') {
      send({ kind: 'accepted', id: message.id });
      if (handle) connections.adopt(handle as Socket);
    } else if (message.kind === 'status') status = message.status;
    else if (message.kind === 'drain')
      void connections.drain(message.timeoutMs).then(() => log.flush(() => process.exit(0)));
  });
  await runtime.standby();
  runtime.ready();

  function answer(req: IncomingMessage, res: ServerResponse): void {
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
  // What it sends is not read: the next request on this connection would begin in the middle of it.
  if (req.headers['content-length'] ?? req.headers['transfer-encoding']) res.setHeader('Connection', 'close');
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  res.end(req.method === 'HEAD' ? undefined : body);
}
