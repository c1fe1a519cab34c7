import { Failure, isCode } from '../errors.ts';
import type { App } from './app.ts';

/** They are a part of commands' names, of files and of process titles. */
const NAME = /^[a-z][a-z0-9-]*$/;
/** Names of tables' owners and of processes that are the chassis' own. */
const RESERVED: readonly string[] = [
  'background',
  'drill',
  'dry-run',
  'keys',
  'lease',
  'litestream',
  'prepare',
  'primary',
  'worker',
  'worker-spare',
  'writer',
];
const RESERVED_WORKER = /^worker-/;

/**
 * Looks for what two would share, or what is the chassis' own: neither may start.
 * @param module where the app is defined, for people
 * @throws Failure app_invalid with one entry for each mistake
 */
export function checkApp(app: App, module: string): void {
  const mistakes = [
    ...namesIn(app),
    ...Object.keys(app.codes ?? {})
      .filter(isCode)
      .map((code) => ({
        field: `codes.${code}`,
        message: 'is a code of the chassis; expected another name',
      })),
  ];
  if (mistakes.length === 0) return;
  throw new Failure('app_invalid', `The app in ${module} cannot be used`, { errors: mistakes });
}

function namesIn({ features }: App): { readonly field: string; readonly message: string }[] {
  const named = features.flatMap(({ name, background = [] }, place) => [
    { name, field: `features[${place}]`, kind: 'feature' },
    ...background.map((one) => ({ name: one.name, field: `features[${place}] (${name})`, kind: 'process' })),
  ]);
  return named.flatMap(({ name, field, kind }, place) => {
    if (!NAME.test(name))
      return [{ field, message: `expected a ${kind}'s name of lower-case letters, digits and -: ${name}` }];
    if (RESERVED.includes(name) || RESERVED_WORKER.test(name))
      return [{ field, message: `the name ${name} is the chassis' own; expected another for the ${kind}` }];
    const first = named.slice(0, place).find((other) => other.kind === kind && other.name === name);
    return first === undefined
      ? []
      : [{ field, message: `there is another ${kind} ${name}, of ${first.field}; expected another name` }];
  });
}
