import t from 'tap';
import { z } from 'zod';
import type { App } from '../../src/contract/app.ts';
import { checkApp } from '../../src/contract/check.ts';
import type { Feature } from '../../src/contract/feature.ts';
import { defineRoute, type Route } from '../../src/contract/route.ts';
import type { Settings } from '../../src/contract/settings.ts';
import type { Metrics } from '../../src/metrics/app-metrics.ts';
import { Failure, type FieldError } from '../../src/platform/errors.ts';
import { PROCESSES } from '../../src/supervisor/processes.ts';
import { CHASSIS_ROUTES } from '../../src/worker/chassis-routes.ts';

const CHASSIS = Object.values(CHASSIS_ROUTES).flat();

function feature(name: string, ...processes: readonly string[]): Feature {
  return {
    name,
    database: 'main',
    migrations: new URL('file:///nowhere/'),
    commands: async () => ({}),
    routes: async () => [],
    background: processes.map((process) => ({ name: process, prepare: async () => () => async () => {} })),
  };
}

async function mistakesIn(app: Partial<App>): Promise<readonly FieldError[]> {
  try {
    await checkApp({ title: 'test', description: 'A test.', features: [], ...app }, 'src/app.ts', CHASSIS);
    return [];
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'app_invalid') throw error;
    return error.options.errors ?? [];
  }
}

t.test('an app whose names are its own is taken', async (t) => {
  t.strictSame(await mistakesIn({ features: [feature('links', 'visits'), feature('visits-2')] }), []);
});

t.test('what is not there, or is something else, is refused by its place', async (t) => {
  const wrong = {
    ...{ ...feature('links'), database: 'Vis its', migrations: './migrations/' },
    ...{ commands: undefined, routes: async () => undefined },
  } as unknown as Feature;
  t.strictSame(await mistakesIn({ features: [feature('notes'), wrong] }), [
    {
      field: 'features[1] (links) database',
      message: 'expected a name of lower-case letters, digits and -',
    },
    {
      field: 'features[1] (links) migrations',
      message: "expected new URL('./migrations/', import.meta.url)",
    },
    {
      field: 'features[1] (links) commands',
      message: 'expected a function that loads them, as an object',
    },
    {
      field: 'features[1] (links) routes',
      message: 'expected a function that loads them, as an array',
    },
  ]);
});

t.test('what two would share is refused with both places', async (t) => {
  t.strictSame(await mistakesIn({ features: [feature('links', 'mailer'), feature('links', 'mailer')] }), [
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

t.test('a process of an app gets no secret of the chassis but that of sending mail', async (t) => {
  const links = feature('links', 'visits');
  const taking = (secrets: readonly string[]) => ({
    ...links,
    background: links.background?.map((one) => ({ ...one, secrets })),
  });
  t.strictSame(await mistakesIn({ features: [taking(['SMTP_URL']) as Feature] }), []);
  t.strictSame(await mistakesIn({ features: [taking(['NOTIFY_URL', 'AWS_SECRET_ACCESS_KEY']) as Feature] }), [
    {
      field: 'features[0] (links)',
      message: 'its process visits takes NOTIFY_URL; expected SMTP_URL, or a setting of its own with takenBy',
    },
    {
      field: 'features[0] (links)',
      message:
        'its process visits takes AWS_SECRET_ACCESS_KEY; expected SMTP_URL, or a setting of its own with takenBy',
    },
  ]);
});

t.test("what is the chassis' own is refused", async (t) => {
  t.strictSame(await mistakesIn({ features: [feature('keys', 'worker-1', 'x-trial'), feature('writer')] }), [
    { field: 'features[0]', message: "the name keys is the chassis' own; expected another for the feature" },
    {
      field: 'features[0] (keys)',
      message: "the name worker-1 is the chassis' own; expected another for the process",
    },
    {
      field: 'features[0] (keys)',
      message: "the name x-trial is the chassis' own; expected another for the process",
    },
    {
      field: 'features[1]',
      message: "the name writer is the chassis' own; expected another for the feature",
    },
  ]);
});

t.test("no feature has the name of a process of the chassis'", async (t) => {
  for (const { role } of Object.values(PROCESSES)) {
    const [mistake] = await mistakesIn({ features: [feature(role)] });
    t.match(mistake, { message: `the name ${role} is the chassis' own` });
  }
});

t.test("a code that is the chassis' own, doubled, or no error is refused with both places", async (t) => {
  const of = (name: string, codes: Feature['codes']): Feature => ({ ...feature(name), codes: codes! });
  const meaning = { title: 'Gone', httpStatus: 404, exitCode: 65 };
  const features = [
    of('links', { not_found: meaning, link_gone: meaning, 'Link-Gone': meaning }),
    of('words', { link_gone: meaning, word_fine: { ...meaning, httpStatus: 200 } }),
  ];
  t.strictSame(await mistakesIn({ features }), [
    {
      field: 'features[0] (links) codes.not_found',
      message: 'is a code of the chassis; expected another name',
    },
    {
      field: 'features[0] (links) codes.Link-Gone',
      message: 'expected a name of lower-case letters, digits and _',
    },
    {
      field: 'features[1] (words) codes.link_gone',
      message: 'is one of features[0] (links) codes.link_gone, too; expected another name',
    },
    {
      field: 'features[1] (words) codes.word_fine',
      message: 'has the status 200; expected one of 400 to 599',
    },
  ]);
});

t.test(
  "a metric that is the chassis' own, doubled, or named against its kind is refused with both places",
  async (t) => {
    const of = (name: string, metrics: Metrics): Feature => ({ ...feature(name), metrics });
    const counter = { type: 'counter', help: 'A test.' } as const;
    const gauge = { type: 'gauge', help: 'A test.' } as const;
    const features = [
      of('links', {
        links_total: counter,
        events_total: counter,
        drill_ok: gauge,
        links: counter,
        kept_total: gauge,
        links_count: gauge,
        'links-now': gauge,
        wait_ms: { ...gauge, unit: 'seconds' },
        kept_bytes_total: { ...counter, unit: 'bytes' },
        links_now: { ...gauge, labels: ['child'] },
        wait_seconds: { type: 'histogram', help: 'A test.', unit: 'seconds', bounds: [1, 1] },
      }),
      of('words', { links_total: counter }),
    ];
    const places = (await mistakesIn({ features })).map(({ field, message }) => [
      field.replace('features[0] (links) metrics.', ''),
      message,
    ]);
    t.strictSame(places, [
      ['events_total', 'is a metric of the chassis; expected another name'],
      ['drill_ok', 'is a metric of the chassis; expected another name'],
      ['links', 'is a counter; expected a name that ends with _total'],
      ['kept_total', 'is a gauge; expected a name that does not end with _total'],
      ['links_count', 'ends as the series of a histogram do; expected another name'],
      ['links-now', 'expected a name of lower-case letters, digits and _'],
      ['wait_ms', 'expected a name that ends with _seconds, its unit'],
      ['links_now', 'has the label child; expected lower-case letters, digits and _, but not le or child'],
      ['wait_seconds', 'has bounds that do not rise'],
      [
        'features[1] (words) metrics.links_total',
        'is one of features[0] (links) metrics.links_total, too; expected another name',
      ],
    ]);
  },
);

t.test('a name that could be no command, file or title is refused', async (t) => {
  t.strictSame(await mistakesIn({ features: [feature('../Links')] }), [
    {
      field: 'features[0]',
      message: "expected a feature's name of lower-case letters, digits and -: ../Links",
    },
  ]);
});

t.test(
  'a setting that is reserved, doubled, or named against its unit is refused with both places',
  async (t) => {
    const of = (name: string, settings: Settings): Feature => ({
      ...feature(name, 'visits'),
      settings: async () => settings,
    });
    const plain = { schema: z.string().optional(), changes: 'reload', about: 'A test.' } as const;
    const app = {
      features: [
        of('links', { LINKS_MAX: plain, PORT: plain, PORTT: plain, TZ: plain, links: plain }),
        { ...of('words', { LINKS_MAX: plain, WAIT: { ...plain, unit: 'MS' } }), background: [] },
        { ...of('pages', { PAGE_KEY: { ...plain, takenBy: ['worker', 'mailer'] } }), background: [] },
      ],
    } as const;
    t.strictSame(await mistakesIn(app), [
      {
        field: 'features[0] (links) settings.PORT',
        message: 'is a setting of the chassis; expected another name',
      },
      {
        field: 'features[0] (links) settings.PORTT',
        message: 'is too near to PORT, a setting of the chassis; expected another name',
      },
      {
        field: 'features[0] (links) settings.TZ',
        message: 'is a variable that others go by; expected another name',
      },
      {
        field: 'features[0] (links) settings.links',
        message: 'expected a name of upper-case letters, digits and _',
      },
      {
        field: 'features[1] (words) settings.LINKS_MAX',
        message: 'is one of features[0] (links) settings.LINKS_MAX, too; expected another name',
      },
      {
        field: 'features[1] (words) settings.WAIT',
        message: 'expected a name that ends with _MS, its unit',
      },
      {
        field: 'features[2] (pages) settings.PAGE_KEY',
        message: 'is taken by mailer; expected one of worker',
      },
    ]);
  },
);

function route(
  method: Route['method'],
  path: string,
  id: string,
  names = path.match(/(?<=:)\w+/g) ?? [],
): Route {
  const params = Object.fromEntries(names.map((name) => [name, { schema: z.string(), description: 'It.' }]));
  return defineRoute({
    ...{ method, path, id, params, scope: 'read', rate: 'caller', summary: id, answers: {} },
    prepare: () => () => {},
  });
}

t.test(
  'routes that share nothing are taken, also a page of its own and what begins with a parameter',
  async (t) => {
    const routes = [
      route('get', '/', 'getOwnHome'),
      route('get', '/:code', 'follow'),
      route('post', '/:code', 'make'),
      route('get', '/links/:id', 'getLink'),
      route('get', '/links/newest', 'getNewest'),
      route('get', '/opsimath', 'getOpsimath'),
    ];
    t.strictSame(await mistakesIn({ features: [{ ...feature('links'), routes: async () => routes }] }), []);
  },
);

t.test(
  'a route that is reserved, doubled, or not declared as its path is is refused with both places',
  async (t) => {
    const links = [
      route('get', '/links/:id', 'getLink'),
      route('put', '/links/:id', 'putLink'),
      route('get', '/ops/links', 'getOpsLinks'),
      route('post', '/health', 'sendHealth'),
      route('get', '/state', 'getReady'),
      route('get', 'state', 'getState'),
      route('get', '/sites/:site', 'getSite', []),
      route('get', '/sites', 'getSites', ['site']),
    ];
    const words = [
      route('get', '/links/:word', 'getWord'),
      route('get', '/words', 'putLink'),
      route('get', '/words/:word', 'getWords'),
    ];
    const app = {
      features: [
        { ...feature('links'), routes: async () => links },
        { ...feature('words'), routes: async () => words },
      ],
    };
    t.strictSame(await mistakesIn(app), [
      {
        field: 'features[0] (links) GET /ops/links',
        message: "is below GET /ops, which is the chassis' own; expected another path",
      },
      {
        field: 'features[0] (links) POST /health',
        message: "is below GET /health, which is the chassis' own; expected another path",
      },
      {
        field: 'features[0] (links) GET /state',
        message: "its id getReady is that of GET /ready, which is the chassis' own; expected another id",
      },
      { field: 'features[0] (links) GET state', message: 'expected a path that begins with /' },
      {
        field: 'features[0] (links) GET /sites/:site',
        message: 'its parameter site is not among its params',
      },
      {
        field: 'features[0] (links) GET /sites',
        message: 'its params name site, which its path does not have',
      },
      {
        field: 'features[1] (words) GET /links/:word',
        message: 'is served by features[0] (links) GET /links/:id, too; expected another path or method',
      },
      {
        field: 'features[1] (words) GET /words',
        message: 'its id putLink is that of features[0] (links) PUT /links/:id, too; expected another id',
      },
    ]);
  },
);

t.test('a command whose name could be taken for that of another feature is refused', async (t) => {
  const commands = async () => ({ add: {}, 'x.add': {} }) as never;
  t.strictSame(await mistakesIn({ features: [{ ...feature('links'), commands }] }), [
    {
      field: 'features[0] (links) commands.x.add',
      message: 'expected a name of letters and digits that begins with a lower-case one',
    },
  ]);
});
