import t from 'tap';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { loadedByRole } from './loaded-fixture.ts';

t.test('each process loads the packages that its role needs, and Zod in one language', async (t) => {
  t.strictSame(await loadedByRole(t, DEPLOYED_APP, 'tally'), [
    ['prepare', 'better-sqlite3,pino', 0],
    ['tally', 'better-sqlite3,pino,zod', 1],
    ['worker-1', '@koa/router,better-sqlite3,koa,pino,zod', 1],
    ['writer', 'better-sqlite3,pino,zod', 1],
  ]);
});
