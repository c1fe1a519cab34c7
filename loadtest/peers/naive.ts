import type { IncomingMessage } from 'node:http';
import Router from '@koa/router';
import Sqlite, { type Database } from 'better-sqlite3';
import Koa from 'koa';
import type { z } from 'zod';
import { loadConfig } from '../../src/config/config.ts';
import type { Command } from '../../src/contract/command.ts';
import { appConfigOf } from '../../src/features/app-settings.ts';
import { readMigrations } from '../../src/sqlite/migrations.ts';
import { serveClustered } from '../support/serve-clustered.ts';

/**
 * The obvious design, built well: node:cluster (which PM2's cluster mode also uses), Koa, and in each worker its own
 * read-write connection to the one SQLite database, in WAL mode. The table, the statements and the validation are
 * this system's own. It has no log, no replication and no supervision.
 *
 * Environment: DATABASE (path), SYNCHRONOUS (FULL or NORMAL), WORKERS.
 */
const BUSY_TIMEOUT_MS = 5000;
/** The app that the table belongs to. The chassis does not depend on it. */
const ALERTS = new URL('../../src/app/alerts/', import.meta.url);
const TABLES = new URL('migrations/', ALERTS);
const OWNER = '';

interface Alerts {
  readonly alert: z.ZodType;
  readonly commands: {
    readonly put: Command<{ owner: string; alert: unknown }, { readonly isNew: boolean }>;
  };
  readonly prepareQueries: (db: Database) => { readonly find: (owner: string, movieId: string) => unknown };
  readonly stateOf: (row: unknown) => unknown;
}

const { alert, commands, prepareQueries, stateOf }: Alerts = Object.assign(
  {},
  ...(await Promise.all(
    ['commands', 'queries', 'schema', 'state'].map((name) => import(new URL(`${name}.ts`, ALERTS).href)),
  )),
);

function open(): Database {
  const db = new Sqlite(process.env.DATABASE ?? 'naive.db');
  db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${process.env.SYNCHRONOUS === 'NORMAL' ? 'NORMAL' : 'FULL'}`);
  return db;
}

function prepare(): void {
  const db = open();
  for (const { sql } of readMigrations(TABLES)) db.exec(sql);
  db.close();
}

function createApp(): Koa {
  const db = open();
  const { find } = prepareQueries(db);
  const put = commands.put.prepare(db);
  const router = new Router();

  router.get('/alert/movie/:movieId', (ctx) => {
    const found = find(OWNER, ctx.params.movieId!);
    if (!found) return ctx.throw(404, 'There is no alert for this movie');
    ctx.body = stateOf(found);
  });

  router.post('/alert', async (ctx) => {
    const parsed = alert.safeParse(await readJson(ctx.req));
    if (!parsed.success) return ctx.throw(422, 'The request has invalid fields');
    const { isNew } = put(
      { owner: OWNER, alert: parsed.data },
      { blob: undefined, nowMs: Date.now(), config, observe() {} },
    );
    ctx.status = isNew ? 201 : 200;
    ctx.body = parsed.data;
  });

  const app = new Koa();
  app.use(router.routes());
  return app;
}

function readJson(req: IncomingMessage): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('error', reject);
    req.on('end', () => {
      try {
        resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
      } catch (cause) {
        reject(
          Object.assign(new Error('The body is not valid JSON', { cause }), { status: 400, expose: true }),
        );
      }
    });
  });
}

// The default settings.
const config = await appConfigOf(loadConfig({}, process.cwd()).config);

serveClustered({
  prepare,
  createListener() {
    const listener = createApp().callback();
    return (req, res) => void listener(req, res);
  },
});
