import { Failure } from '../../platform/errors.ts';
import { loadZod } from '../../platform/zod-without-locales.ts';
import { describedApp } from './described-app.ts';
import { tell } from './tell.ts';

/** A script of its own: prints what the primary has to know of a release's app, as one line of JSON, and ends. */
try {
  await loadZod();
  tell(await describedApp());
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  const { message, options } = error;
  const mistakes = (options.errors ?? []).map((mistake) => `; ${mistake.field}: ${mistake.message}`);
  process.exitCode = error.meaning.exitCode;
  process.stderr.write(`${message}${mistakes.join('')}\n`, () => process.exit());
}
