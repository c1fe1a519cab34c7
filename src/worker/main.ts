import type { Socket } from 'node:net';
import { join } from 'node:path';
import { databaseNames, features } from '../features.ts';
import { Limiter } from '../limits/limiter.ts';
import { type Grant, QUESTION } from '../limits/policy.ts';
import { http } from '../node-http.ts';
import type { SystemStatus } from '../runtime/messages.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { openReader } from '../sqlite/open.ts';
import { WriterClient } from '../writer/client.ts';
import { monotonicNowMs, writerSocketPath } from '../writer/protocol.ts';
import { loadZod } from '../zod-without-locales.ts';
import { createApp } from './app.ts';
import { Connections } from './connections.ts';
import { LoopLag } from './loop-lag.ts';
import { onClientError } from './middleware/client-error.ts';
import { PrimaryClient } from './primary-client.ts';
import { writes } from './writes.ts';

const HEADERS_TIMEOUT_MS = 10_000;
/** The slowest upload that is still served: 5 MiB at about 45 kB/s. */
const REQUEST_TIMEOUT_MS = 120_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
const CONNECTIONS_CHECK_INTERVAL_MS = 1000;

/** What the primary tells a worker at spec. */
export interface WorkerInput {
  /** Load everything, and wait for a place to take. */
  readonly standby: boolean;
}

/** A worker: serves the connections that the primary hands it. */
export async function run(runtime: Runtime): Promise<void> {
  const { role, config, log, send } = runtime;
  const activated = Promise.withResolvers<void>();
  let status: SystemStatus = {
    ready: false,
    notReady: [{ name: 'system', reason: 'starting' }],
    degraded: [],
  };
  const writer = new WriterClient({
    socketPath: writerSocketPath(config.DATA_DIR),
    name: role,
    deadlineMs: config.WRITE_DEADLINE_MS,
    queueMax: config.WRITE_QUEUE_MAX,
    log,
  });
  const databases = new Map(
    databaseNames().map((name) => [name, openReader(join(config.DATA_DIR, `${name}.db`))]),
  );
  const lag = new LoopLag(config.OVERLOAD_LAG_MS);
  const server = http.createServer({
    noDelay: true,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: CONNECTIONS_CHECK_INTERVAL_MS,
  });
  const connections = new Connections(server);
  const primary = new PrimaryClient(send);
  await loadZod();
  const limiter = new Limiter({
    config,
    ask: async (request) => (await writer.write(QUESTION, request)) as Grant,
    now: monotonicNowMs,
  });
  const app = await createApp({
    config,
    log,
    features,
    databases,
    writeFor: writes(writer, config),
    ownWriteFor: (feature) => (name, input) => writer.write(`${feature.name}.${name}`, input),
    limit: (ctx, policy, id) => limiter.take(ctx, policy, id),
    status: () => status,
    ask: primary.ask,
    meter: runtime.meter,
    draining: () => connections.draining,
    overloaded: () => lag.overloaded,
    onDamage: (reason) => send({ kind: 'damaged', reason }),
  });
  server.on('request', app);
  server.on('request', runtime.countServed);
  server.on('clientError', (error, socket) => onClientError(error, socket as Socket));

  runtime.onMessage((message, handle) => {
    if (message.kind === 'connection') {
      // Before the first byte is read: until the primary hears this, it may give the connection to another worker.
      send({ kind: 'accepted', id: message.id });
      // Undefined when the client was gone before the hand-over.
      if (handle) connections.adopt(handle as Socket);
    } else if (message.kind === 'activate') {
      process.title = `ninelives ${message.name}`;
      activated.resolve();
    } else if (message.kind === 'status') status = message.status;
    else if (message.kind === 'told') primary.told(message.id, message.answer);
    else if (message.kind === 'drain') drain(message.timeoutMs);
  });
  if ((runtime.input as WorkerInput).standby) {
    send({ kind: 'standby' });
    await activated.promise;
  }
  runtime.ready();

  async function drain(timeoutMs: number): Promise<void> {
    await connections.drain(timeoutMs);
    writer.close();
    log.flush(() => process.exit(0));
  }
}
