import t from 'tap';
import type { App } from '../../src/contract/app.ts';
import { checkApp } from '../../src/contract/check.ts';
import type { Feature } from '../../src/contract/feature.ts';
import { Failure, type FieldError } from '../../src/errors.ts';

function feature(name: string, ...processes: readonly string[]): Feature {
  return {
    name,
    database: 'main',
    migrations: new URL('file:///nowhere/'),
    commands: async () => ({}),
    routes: async () => () => {},
    background: processes.map((process) => ({
      name: process,
      entry: new URL('file:///nowhere.ts'),
      secrets: [],
    })),
  };
}

function mistakesIn(app: Partial<App>): readonly FieldError[] {
  try {
    checkApp({ title: 'test', description: 'A test.', features: [], ...app }, 'src/app.ts');
    return [];
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'app_invalid') throw error;
    return error.options.errors ?? [];
  }
}

t.test('an app whose names are its own is taken', async (t) => {
  t.strictSame(mistakesIn({ features: [feature('links', 'visits'), feature('visits-2')] }), []);
});

t.test('what two would share is refused with both places', async (t) => {
  t.strictSame(mistakesIn({ features: [feature('links', 'mailer'), feature('links', 'mailer')] }), [
    {
      field: 'features[1]',
      message: 'there is another feature links, of features[0]; expected another name',
    },
    {
      field: 'features[1] (links)',
      message: 'there is another process mailer, of features[0] (links); expected another name',
    },
  ]);
});

t.test("what is the chassis' own is refused", async (t) => {
  t.strictSame(mistakesIn({ features: [feature('keys', 'worker-1'), feature('writer')] }), [
    { field: 'features[0]', message: "the name keys is the chassis' own; expected another for the feature" },
    {
      field: 'features[0] (keys)',
      message: "the name worker-1 is the chassis' own; expected another for the process",
    },
    {
      field: 'features[1]',
      message: "the name writer is the chassis' own; expected another for the feature",
    },
  ]);
  t.strictSame(
    mistakesIn({ codes: { not_found: { title: 'Gone', httpStatus: 404, exitCode: 65 } } as never }),
    [{ field: 'codes.not_found', message: 'is a code of the chassis; expected another name' }],
  );
});

t.test('a name that could be no command, file or title is refused', async (t) => {
  t.strictSame(mistakesIn({ features: [feature('../Links')] }), [
    {
      field: 'features[0]',
      message: "expected a feature's name of lower-case letters, digits and -: ../Links",
    },
  ]);
});
