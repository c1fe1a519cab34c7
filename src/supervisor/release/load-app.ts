import { Failure } from '../../platform/errors.ts';
import { loadZod } from '../../platform/zod-without-locales.ts';
import { tell } from './tell.ts';

/**
 * A script of its own: loads the app, whose code may hang, end its process or print anything, and prints that it is
 * loaded as one line of JSON. Where the module is no app, the process that loads it after this tells so.
 */
try {
  await loadZod();
  await import('../../features/features.ts');
} catch (error) {
  if (!(error instanceof Failure)) throw error;
}
tell(true);
