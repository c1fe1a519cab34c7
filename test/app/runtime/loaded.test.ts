import t from 'tap';
import { loadedByRole } from '../../runtime/loaded-fixture.ts';

t.test('each process loads the packages that its role needs, and Zod in one language', async (t) => {
  t.strictSame(await loadedByRole(t, undefined, 'mailer'), [
    ['mailer', 'better-sqlite3,nodemailer,pino,zod', 1],
    ['prepare', 'better-sqlite3,pino', 0],
    ['worker-1', '@koa/router,better-sqlite3,koa,pino,zod', 1],
    ['writer', 'better-sqlite3,pino,zod', 1],
  ]);
});
