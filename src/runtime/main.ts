import { pathToFileURL } from 'node:url';
import { withoutLocales } from '../platform/zod-without-locales.ts';
import { startRuntime } from './runtime.ts';

/**
 * The entry of every child process. The runtime, by which a child tells why it failed, is up before the role's code is
 * loaded, so that new code that cannot be loaded is reported as well.
 */
const { entryPath, runtime, loaded } = startRuntime();
try {
  const role = await withoutLocales(() => import(pathToFileURL(entryPath).href));
  await loaded();
  await role.run(runtime);
} catch (error) {
  runtime.fail(error);
}
