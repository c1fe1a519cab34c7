import { pathToFileURL } from 'node:url';
import { startChild } from './child.ts';

/**
 * The entry of every child process. What makes a child tell why it failed is up before the role's own code is even
 * loaded, so that new code that cannot be loaded is told of as well.
 */
const bond = startChild();
try {
  const role = await import(pathToFileURL(bond.entryPath).href);
  await role.run(bond);
} catch (error) {
  bond.fail(error as Error);
}
