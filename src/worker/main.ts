import type { Socket } from 'node:net';
import { join } from 'node:path';
import { noteDoor } from '../callers/doors.ts';
import { appConfigOf, takeAppSecrets } from '../features/app-settings.ts';
import { app as about, appMetrics, databaseNames, features } from '../features/features.ts';
import { Limiter } from '../limits/limiter.ts';
import { QUOTA_QUERY, type QuotaLease } from '../limits/policy.ts';
import type { SystemStatus } from '../messages/messages.ts';
import { Observer } from '../metrics/observer.ts';
import { PrimaryClient } from '../runtime/primary-client.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { openReader } from '../sqlite/open.ts';
import { writerClientOf } from '../writer-client/client.ts';
import { monotonicNowMs } from '../writer-client/protocol.ts';
import { createApp } from './app.ts';
import { Connections } from './connections.ts';
import { createHttpServer } from './http-server.ts';
import { LoopLag } from './loop-lag.ts';
import { OpsSessions } from './ops/sessions.ts';
import { RequestGate } from './request-gate.ts';
import { listenUnreachably } from './unreachable-listener.ts';
import { writes } from './writes.ts';

/** A worker: serves the connections that the primary hands it. */
export async function run(runtime: Runtime): Promise<void> {
  const { role, log, send } = runtime;
  const config = await appConfigOf(runtime.config);
  const secrets = await takeAppSecrets('worker');
  let status: SystemStatus = {
    ready: false,
    notReady: [{ name: 'system', reason: 'starting' }],
    degraded: [],
  };
  const writer = writerClientOf(config, { name: role, log });
  const databases = new Map(
    databaseNames().map((name) => [name, openReader(join(config.DATA_DIR, `${name}.db`))]),
  );
  const lag = new LoopLag(config.OVERLOAD_LAG_MS);
  const primary = new PrimaryClient(send);
  const limiter = new Limiter({
    config,
    ask: async (request) => (await writer.write(QUOTA_QUERY, request)) as QuotaLease,
    now: monotonicNowMs,
  });
  const sessions = new OpsSessions(primary.ask, monotonicNowMs);
  const app = await createApp({
    config,
    secrets,
    log,
    about,
    features,
    databases,
    writeFor: writes(writer, config),
    ownWriteFor: (feature) => (name, input) => writer.write(`${feature.name}.${name}`, input),
    limit: (ctx, policy, id) => limiter.take(ctx, policy, id),
    status: () => status,
    ask: primary.ask,
    sessions,
    observe: new Observer(runtime.meter, appMetrics).observe,
    appMetrics,
    meter: runtime.meter,
    draining: () => connections.draining,
    overloaded: () => lag.overloaded,
    onUnnamedProxies: (proxies) => send({ kind: 'report', gauges: {}, trouble: undefined, proxies }),
    onDamage: (reason) => send({ kind: 'damaged', reason }),
  });
  // Requests are held only at a handover to a standby.
  const gate = config.FAILOVER === 'lease' ? new RequestGate(app) : undefined;
  const listener = gate?.listener ?? app;
  // One listener counts and answers: with two of them, Node copies the list of listeners on each request.
  const server = createHttpServer((req, res) => {
    runtime.countServed();
    listener(req, res);
  }, log);
  const connections = new Connections(server);

  runtime.onMessage((message, handle) => {
    if (message.kind === 'connection') {
      // Sent before the first byte is read: until it arrives, the primary may give the connection to another worker.
      send({ kind: 'accepted', id: message.id });
      // The handle is undefined when the client was gone before it arrived here.
      if (!handle) return;
      if (message.door !== undefined) noteDoor(handle as Socket, message.door);
      connections.adopt(handle as Socket);
    } else if (message.kind === 'status') status = message.status;
    else if (message.kind === 'ops-secret') sessions.know(message.secret);
    else if (message.kind === 'told') primary.told(message.id, message.answer);
    else if (message.kind === 'hold-requests') {
      writer.hold();
      void gate?.hold().then(() => send({ kind: 'requests-held' }));
    } else if (message.kind === 'let-requests') {
      if (message.be === 'answered') {
        writer.go();
        gate?.answer();
      } else {
        gate?.close();
        server.closeIdleConnections();
      }
    } else if (message.kind === 'drain') drain(message.timeoutMs);
  });
  await runtime.standby();
  await listenUnreachably(server, join(config.DATA_DIR, 'run'), log);
  writer.connect();
  runtime.ready();

  async function drain(timeoutMs: number): Promise<void> {
    await connections.drain(timeoutMs);
    writer.close();
    log.flush(() => process.exit(0));
  }
}
