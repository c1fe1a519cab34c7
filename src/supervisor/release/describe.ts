import { Failure } from '../../errors.ts';
import { loadZod } from '../../zod-without-locales.ts';

/** A script of its own: prints what the primary has to know of the app of a release, as one line of JSON, and ends. */
try {
  await loadZod();
  const { describeApp } = await import('../../features.ts');
  process.stdout.write(`${JSON.stringify(await describeApp())}\n`);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  const { message, options } = error;
  const mistakes = (options.errors ?? []).map((mistake) => `; ${mistake.field}: ${mistake.message}`);
  process.stderr.write(`${message}${mistakes.join('')}\n`);
  process.exitCode = error.meaning.exitCode;
}
