import { Failure } from '../../platform/errors.ts';
import { loadZod } from '../../platform/zod-without-locales.ts';
import { tell } from './tell.ts';

/**
 * A script of its own: loads the app, whose code may hang, end its process or print anything, and says that it is loaded as one
 * line of JSON. An app that is no app is told by whoever loads it then.
 */
try {
  await loadZod();
  await import('../../features.ts');
} catch (error) {
  if (!(error instanceof Failure)) throw error;
}
tell(true);
