import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import pino from 'pino';
import type { Test } from 'tap';
import { loadConfig } from '../../src/config/config.ts';
import type { AnyCommand, Commands, Write } from '../../src/contract/command.ts';
import type { Feature } from '../../src/contract/feature.ts';
import type { Route, RouteDeclaration } from '../../src/contract/route.ts';
import type { AppConfig } from '../../src/contract/settings.ts';
import { appConfigOf } from '../../src/features/app-settings.ts';
import { app as about, features as allFeatures, appMetrics } from '../../src/features/features.ts';
import type { KeyScope } from '../../src/keys/schema.ts';
import { hashOf, newKeyId, newSecret, tokenOf } from '../../src/keys/token.ts';
import { Limiter } from '../../src/limits/limiter.ts';
import type { QuotaLease, QuotaRequest } from '../../src/limits/policy.ts';
import { LimitPool } from '../../src/limits/pool.ts';
import { Meter } from '../../src/metrics/meter.ts';
import { Observer } from '../../src/metrics/observer.ts';
import { Failure } from '../../src/platform/errors.ts';
import type { Scope } from '../../src/platform/scope.ts';
import { type Database, openReader, openWriter } from '../../src/sqlite/open.ts';
import { type AppOptions, createApp } from '../../src/worker/app.ts';
import { createHttpServer } from '../../src/worker/http-server.ts';
import type { Handler } from '../../src/worker/middleware/served-route.ts';
import { OpsSessions } from '../../src/worker/ops/sessions.ts';
import { parseInput } from '../../src/writer/input.ts';
import { writerMismatch } from '../../src/writer-client/protocol.ts';
import { describedBy } from './described.ts';
import { within } from './system.ts';

const PROBE = 'probe';

export type LogLine = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As they came. */
  readonly bytes: Buffer;
  /** Uncompressed. */
  readonly text: string;
  /** The body parsed; throws when it is no JSON. */
  readonly json: () => Record<string, unknown>;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** A string or bytes go out as they are; anything else as JSON. */
  readonly body?: unknown;
}

export interface TestApp {
  readonly port: number;
  readonly server: Server;
  readonly config: AppConfig;
  /** The read-write connections by database name. */
  readonly writers: ReadonlyMap<string, Database>;
  /** Every line logged until now. */
  readonly lines: readonly LogLine[];
  /** The first line, past or future, that has these members. */
  readonly logged: (members: LogLine) => Promise<LogLine>;
  /** Makes a key and says what its holder sends: the header Authorization. */
  readonly keyFor: (
    owner: string,
    scope: KeyScope,
    expiresAtMs?: number,
  ) => Promise<{ Authorization: string }>;
  /** Applies one command of a feature, on no request's behalf. */
  readonly write: (feature: string, name: string, input: unknown) => Promise<unknown>;
  /** Fails when the answer is not as the API's description says. */
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<Answer>;
  /** Sends bytes as they are and collects what comes until the server closes. */
  readonly raw: (bytes: string | Buffer, options?: { readonly half?: boolean }) => Promise<string>;
}

export interface TestAppOptions
  extends Partial<Pick<AppOptions, 'status' | 'draining' | 'overloaded' | 'onUnnamedProxies'>> {
  readonly features?: readonly Feature[];
  readonly env?: Readonly<Record<string, string>>;
  /** Answers for the primary. */
  readonly primary?: AppOptions['ask'];
  /** Answers for the writer's pool of requests. */
  readonly ask?: (request: QuotaRequest) => Promise<QuotaLease>;
  /** Stands between a route and the real write, to fail or to delay it. */
  readonly aroundWrite?: (write: () => unknown) => unknown;
}

/**
 * Serves the app in this process on a port of its own: real HTTP and real SQLite in a temporary folder. Only the
 * socket between worker and writer is missing. All of it ends with the test.
 */
export async function startApp(t: Test, options: TestAppOptions = {}): Promise<TestApp> {
  // Not t.testdir(): a path with the test's name in it is longer than the config lets a data folder be.
  const dir = mkdtempSync(join(tmpdir(), 'app-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const features = options.features ?? allFeatures;
  const { config: own } = loadConfig({ DATA_DIR: dir, ...options.env }, dir);
  const config = await appConfigOf({ ...own, appSettings: options.env ?? {} });
  const log = captureLog();
  const writers = new Map<string, Database>();
  const readers = new Map<string, Database>();
  for (const name of new Set(features.map((feature) => feature.database))) {
    const path = join(dir, `${name}.db`);
    const writer = openWriter(path);
    for (const feature of features) if (feature.database === name) migrate(writer, feature);
    writers.set(name, writer);
    readers.set(name, openReader(path));
  }
  const ownWrite = async (feature: Feature, name: string, input: unknown) =>
    writeTo(
      writers.get(feature.database)!,
      feature,
      config,
      undefined,
    )({} as never, name as never, input as never);
  const write = async (feature: string, name: string, input: unknown) =>
    ownWrite(features.find((candidate) => candidate.name === feature)!, name, input);
  const pool = new LimitPool(config);
  const ask = options.ask ?? ((request: QuotaRequest) => pool.grant(request));
  const limiter = new Limiter({ config, ask, now: () => performance.now() });
  const askPrimary: AppOptions['ask'] =
    options.primary ?? (() => Promise.reject(new Failure('not_ready', 'There is no primary here')));
  const sessions = new OpsSessions(askPrimary, () => performance.now());
  const meter = new Meter();
  const { observe } = new Observer(meter, appMetrics);
  const listener = await createApp({
    config,
    secrets: {},
    log: log.logger,
    about,
    features,
    databases: readers,
    writeFor: (feature) => writeTo(writers.get(feature.database)!, feature, config, options.aroundWrite),
    ownWriteFor: (feature) => (name, input) => ownWrite(feature, name, input),
    limit: (ctx, policy, id) => limiter.take(ctx, policy, id),
    status: options.status ?? (() => ({ ready: true, notReady: [], degraded: [] })),
    draining: options.draining ?? (() => false),
    overloaded: options.overloaded ?? (() => false),
    meter,
    observe,
    appMetrics,
    ask: askPrimary,
    sessions,
    onUnnamedProxies: options.onUnnamedProxies ?? (() => {}),
    onDamage: () => {},
  });
  const server = createHttpServer(listener, log.logger);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    for (const db of [...readers.values(), ...writers.values()]) db.close();
  });
  const { port } = server.address() as AddressInfo;
  const described = await describedBy(
    features === allFeatures ? features : features.filter(({ name }) => name !== PROBE),
  );
  return {
    port,
    server,
    config,
    writers,
    lines: log.lines,
    logged: log.logged,
    write,
    keyFor: async (owner, scope, expiresAtMs) => {
      const token = { id: newKeyId(), secret: newSecret() };
      const secretHash = hashOf(token.secret).toString('hex');
      const name = `key-${token.id}`;
      const input = { id: token.id, name, owner, scope, secretHash, expiresAtMs: expiresAtMs ?? null };
      await write('keys', 'create', input);
      return { Authorization: `Bearer ${tokenOf(token)}` };
    },
    call: async (method, path, callOptions) => {
      const answer = await call(port, method, path, callOptions);
      described.check(method, path, answer);
      return answer;
    },
    raw: (bytes, rawOptions) => raw(port, bytes, rawOptions?.half ?? false),
  };
}

type AddRoute = (path: string, scope: Scope, handler: Handler) => void;
type Adding = { readonly route: Readonly<Record<RouteDeclaration['method'], AddRoute>> };

/** A feature of routes only, for tests of what surrounds a route. What it answers is described nowhere. */
export function featureOf(add: (adding: Adding) => void): Feature {
  const routes: Route[] = [];
  const note =
    (method: RouteDeclaration['method']): AddRoute =>
    (path, scope, handler) => {
      const rate = scope === 'public' ? 'public' : 'caller';
      const id = `probe${routes.length}`;
      routes.push({ method, path, scope, rate, id, summary: id, answers: {}, prepare: () => handler });
    };
  const [get, post, put, patch] = [note('get'), note('post'), note('put'), note('patch')];
  add({ route: { get, post, put, patch, delete: note('delete') } });
  return {
    name: PROBE,
    database: 'main',
    migrations: new URL('./no-migrations/', import.meta.url),
    commands: async () => ({}),
    routes: async () => routes,
  };
}

function migrate(db: Database, { migrations }: Feature): void {
  if (!existsSync(migrations)) return;
  for (const file of readdirSync(migrations).sort()) db.exec(readFileSync(new URL(file, migrations), 'utf8'));
}

function writeTo(
  db: Database,
  feature: Feature,
  config: AppConfig,
  around: TestAppOptions['aroundWrite'],
): Write<Commands> {
  const prepared = new Map<string, ReturnType<AnyCommand['prepare']>>();
  return async (_ctx, name, input, blob) => {
    const command = (await feature.commands())[name]!;
    const run = prepared.get(name) ?? command.prepare(db);
    prepared.set(name, run);
    const parsed = parseInput(command, JSON.parse(JSON.stringify(input)));
    if ('misfit' in parsed) throw writerMismatch();
    const apply = () =>
      db.transaction(() =>
        run(parsed.value as never, { blob, nowMs: Date.now(), config, observe: () => {} }),
      )();
    return (await (around?.(apply) ?? apply())) as never;
  };
}

function captureLog() {
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  const logger = pino(
    { level: 'trace', formatters: { level: (label) => ({ level: label }) } },
    {
      write(text: string) {
        lines.push(JSON.parse(text) as LogLine);
        for (const look of waiting) look();
      },
    },
  );
  const logged = (members: LogLine) => {
    const { promise, resolve } = Promise.withResolvers<LogLine>();
    const look = () => {
      const found = lines.find((line) =>
        Object.entries(members).every(([key, value]) => line[key] === value),
      );
      if (found === undefined) return;
      waiting.delete(look);
      resolve(found);
    };
    waiting.add(look);
    look();
    return within(promise, `a line with ${JSON.stringify(members)}`);
  };
  return { logger, lines, logged };
}

async function call(port: number, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const { body } = options;
  const asIs = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
  const payload = asIs ? body : JSON.stringify(body);
  const req = request({
    port,
    method,
    path,
    agent: false,
    headers: {
      ...(payload !== undefined &&
        !options.headers?.['Transfer-Encoding'] && { 'Content-Length': String(Buffer.byteLength(payload)) }),
      ...(!asIs && { 'Content-Type': 'application/json' }),
      ...options.headers,
    },
  });
  // An answer may come before all was sent, and ends the connection then; without an answer `once` throws it.
  req.on('error', () => {});
  req.end(payload);
  const [res] = await once(req, 'response');
  const bytes = Buffer.concat(await res.toArray());
  const text = decoded(bytes, res.headers['content-encoding']).toString('utf8');
  return { status: res.statusCode, headers: res.headers, bytes, text, json: () => JSON.parse(text) };
}

function decoded(bytes: Buffer, encoding: string | undefined): Buffer {
  if (encoding === 'gzip') return gunzipSync(bytes);
  return encoding === 'br' ? brotliDecompressSync(bytes) : bytes;
}

/** @param half whether to end our side behind the bytes, as a client does that stops half-way */
async function raw(port: number, bytes: string | Buffer, half: boolean): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  if (half) socket.end(bytes);
  else socket.write(bytes);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  // A reset is one way for the server to close.
  socket.on('error', () => undefined);
  if (!socket.closed) {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on('end', () => socket.end()).on('close', () => resolve());
    await promise;
  }
  return Buffer.concat(chunks).toString('latin1');
}
