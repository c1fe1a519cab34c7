import { pathToFileURL } from 'node:url';
import { withoutLocales } from '../platform/zod-without-locales.ts';
import { startRuntime } from './runtime.ts';

/**
 * The entry of every child process. What makes a child tell why it failed is up before the role's own code is even
 * loaded, so that new code that cannot be loaded is told of as well.
 */
const { entryPath, runtime, loaded } = startRuntime();
try {
  const role = await withoutLocales(() => import(pathToFileURL(entryPath).href));
  await loaded();
  await role.run(runtime);
} catch (error) {
  runtime.fail(error);
}
