import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type DeployedApp, Deployment } from '../../loadtest/chaos/deployment.ts';
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

/**
 * @param background the app's process, the last that comes up
 * @returns of each process the role, the packages that it has loaded, and in how many languages Zod
 */
export async function loadedByRole(t: Test, app: DeployedApp | undefined, background: string) {
  const code = new Deployment(join(temporaryFolder(t), 'project'), app);
  code.prepend('src/runtime/main.ts', LISTENER);
  const dataDir = temporaryFolder(t);
  const system = await start(t, {}, dataDir, { root: code.root });
  await system.waitFor(({ msg }) => msg === `${background} ready`);
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
  return loaded.sort();
}
