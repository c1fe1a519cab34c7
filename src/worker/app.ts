import type { RequestListener } from 'node:http';
import type { Database } from 'better-sqlite3';
import Koa from 'koa';
import type { Logger } from 'pino';
import type { App } from '../contract/app.ts';
import type { Commands, Write } from '../contract/command.ts';
import type { Feature, Guard, GuardContext } from '../contract/feature.ts';
import type { RouteContext } from '../contract/route.ts';
import type { AppConfig, AppSecrets } from '../contract/settings.ts';
import type { SystemStatus } from '../messages/messages.ts';
import type { Observe } from '../metrics/app-metrics.ts';
import type { Families } from '../metrics/catalog.ts';
import type { Meter } from '../metrics/meter.ts';
import { Failure } from '../platform/errors.ts';
import type { Ask } from '../runtime/answers.ts';
import { prepared } from '../sqlite/prepared.ts';
import { hasHome, home } from './home.ts';
import { logLateError } from './late-error.ts';
import { dispatch } from './middleware/dispatch.ts';
import { probes } from './middleware/probes.ts';
import { requestPipeline } from './middleware/request-pipeline.ts';
import { type ServedRoute, serve } from './middleware/served-route.ts';
import { openApiRoutes } from './openapi/routes.ts';
import { opsRoutes } from './ops/routes.ts';
import type { OpsSessions } from './ops/sessions.ts';
import { ReadBatch } from './read-batch.ts';
import { RequestMeter } from './request-meter.ts';

/** What the routes need. */
export interface RoutesOptions {
  readonly config: AppConfig;
  /** The app's secrets that a worker takes. */
  readonly secrets: AppSecrets;
  /** Counts the metrics of the app. */
  readonly observe: Observe;
  /** The metrics that the app has declared. */
  readonly appMetrics: Families;
  readonly log: Logger;
  /** Title and description of the app, for clients. */
  readonly about: Pick<App, 'title' | 'description'>;
  readonly features: readonly Feature[];
  /** Read-only connections by the database's name. */
  readonly databases: ReadonlyMap<string, Database>;
  readonly writeFor: (feature: Feature) => Write<Commands>;
  readonly status: () => SystemStatus;
  readonly ask: Ask;
  /** Sessions of the operator's page. */
  readonly sessions: OpsSessions;
  /** Whether this process drains; called once for each request. */
  readonly draining: () => boolean;
}

export interface AppOptions extends RoutesOptions {
  /** Sends a write that belongs to no request. */
  readonly ownWriteFor: (feature: Feature) => GuardContext['write'];
  /** Counts a request against the limits. */
  readonly limit: GuardContext['limit'];
  readonly onUnnamedProxies: GuardContext['onUnnamedProxies'];
  readonly meter: Meter;
  /** Whether this process is so far behind that a quick refusal is better; called once for each request. */
  readonly overloaded: () => boolean;
  /** Told when a read finds a database damaged. */
  readonly onDamage: (reason: string) => void;
}

/**
 * Assembles the HTTP side: the routes of every feature, the probes, and the request pipeline. The databases must be
 * migrated, because the features prepare their statements here.
 *
 * @returns a listener for `http.createServer`
 * @throws Failure internal when a feature's database is not among `databases`, migration_mismatch when a table or a
 *   column that its statements need is missing
 */
export async function createApp(options: AppOptions): Promise<RequestListener> {
  const { config, log, meter, draining, overloaded, onDamage } = options;
  const guard = inBatches(await createGuard(options), new ReadBatch(options.databases.values()));
  const needs = { ...options, guard };
  const operator = [...serve(probes, needs, guard), ...serve(opsRoutes, needs, guard)];
  const own = await Promise.all(options.features.map((feature) => serveFeature(feature, options, guard)));
  const ofFeatures = own.flat();
  const pages = hasHome(ofFeatures.map(({ route }) => route)) ? openApiRoutes : [...openApiRoutes, home];
  const describe = async () => (await import('./openapi/describe.ts')).describeApi(options);
  const others = [...serve(pages, { ...needs, describe }, guard), ...ofFeatures];

  const app = new Koa();
  app.on('error', (err: Error) => logLateError(log, err));
  const requests = new RequestMeter(meter);
  const answer = dispatch(operator, others, guard);
  app.use(requestPipeline({ log, requests, draining, overloaded, onDamage, config }, answer));
  const listener = app.callback();
  return (req, res) => void listener(req, res);
}

async function createGuard(options: AppOptions): Promise<Guard> {
  const feature = options.features.find(({ guard }) => guard !== undefined);
  if (feature?.guard === undefined) {
    return (ctx) => {
      ctx.state.caller = { owner: '' };
    };
  }
  const create = await feature.guard();
  const context = {
    db: databaseOf(feature, options),
    write: options.ownWriteFor(feature),
    limit: options.limit,
    onUnnamedProxies: options.onUnnamedProxies,
    isOpsSession: (text: string) => options.sessions.isSession(text),
    config: options.config,
    log: options.log.child({ feature: feature.name }),
  };
  return prepared(feature.name, () => create(context));
}

/** Lets requests read in batches. Health probes (rate `none`) do not wait for a batch. */
function inBatches(guard: Guard, batch: ReadBatch): Guard {
  return (ctx, access) =>
    access?.rate === 'none' ? guard(ctx, access) : batch.join().then(() => guard(ctx, access));
}

async function serveFeature(
  feature: Feature,
  options: RoutesOptions,
  guard: Guard,
): Promise<readonly ServedRoute[]> {
  const routes = await feature.routes();
  const context: RouteContext = {
    db: databaseOf(feature, options),
    write: options.writeFor(feature),
    config: options.config,
    secrets: options.secrets,
    observe: options.observe,
    log: options.log.child({ feature: feature.name }),
  };
  // Each route's own types describe the context; they are not known here.
  return prepared(feature.name, () => serve(routes, context as never, guard));
}

function databaseOf({ database }: Feature, { databases }: RoutesOptions): Database {
  const db = databases.get(database);
  if (db === undefined) throw new Failure('internal', `No connection to the database ${database}`);
  return db;
}
