import { pathToFileURL } from 'node:url';
import { startChild } from './child.ts';

/**
 * The entry of every child process. What makes a child tell why it failed is up before the role's own code is even
 * loaded, so that new code that cannot be loaded is told of as well.
 */
const { entryPath, bond, fail } = startChild();
try {
  const role = await import(pathToFileURL(entryPath).href);
  await role.run(await bond);
} catch (error) {
  fail(error as Error);
}
