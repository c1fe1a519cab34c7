import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import { start, temporaryFolder } from '../support/system.ts';

/** Has each child write down what it loads for its role. */
const LISTENER = `
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
const path = process.env.NINELIVES_DATA_DIR + '/loaded-by-' + JSON.parse(process.env.NINELIVES_CHILD!).role;
registerHooks({
  load(url, context, next) {
    appendFileSync(path, url + '\\n');
    return next(url, context);
  },
});
`;
const FILE = /^loaded-by-(.*)$/;
const DEPENDENCIES = Object.keys(
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).dependencies,
);

t.test('each process loads the packages that its role needs, and Zod in one language', async (t) => {
  const code = new Deployment(join(temporaryFolder(t), 'project'));
  code.prepend('src/runtime/main.ts', LISTENER);
  const dataDir = temporaryFolder(t);
  const system = await start(t, {}, dataDir, { root: code.root });
  await system.waitFor(({ msg }) => msg === 'mailer ready');
  const loaded = readdirSync(dataDir).flatMap((name) => {
    const role = FILE.exec(name)?.[1];
    if (role === undefined) return [];
    const urls = readFileSync(join(dataDir, name), 'utf8').split('\n');
    const packages = DEPENDENCIES.filter((name) =>
      urls.some((url) => url.includes(`/node_modules/${name}/`)),
    );
    const languages = urls.filter((url) => url.includes('/zod/v4/locales/')).length;
    return [[role, packages.join(), languages]];
  });
  t.strictSame(loaded.sort(), [
    ['mailer', 'better-sqlite3,nodemailer,pino,zod', 1],
    ['prepare', 'better-sqlite3,pino', 0],
    ['worker-1', '@koa/router,better-sqlite3,koa,pino,zod', 1],
    ['writer', 'better-sqlite3,pino,zod', 1],
  ]);
});
