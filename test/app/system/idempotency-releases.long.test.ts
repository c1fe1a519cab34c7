import t from 'tap';
import { request } from '../../support/http.ts';
import { Installation } from '../../support/installation.ts';
import { like } from '../../support/like.ts';
import { alertOf } from '../support/alert-of.ts';
import { form, IMAGES } from '../support/images.ts';

interface Write {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

const upload = form({ name: 'file', filename: 'a.png', type: 'image/png', content: IMAGES['image/png'] });
/** In this order; each changes what the next would find, but for its key. */
const WRITES: readonly Write[] = [
  { method: 'POST', path: '/alert', body: alertOf('a') },
  { method: 'POST', path: '/alert', body: { ...alertOf('a'), title: 'Another' } },
  { method: 'PATCH', path: '/alert/movie/a', body: { category: 'crime' } },
  { method: 'PATCH', path: '/alert/movie/nobody', body: { category: 'crime' } },
  { method: 'POST', path: '/alert/movie/a/cancel' },
  { method: 'POST', path: '/alert/movie/a/retry' },
  { method: 'DELETE', path: '/alert/movie/a' },
  { method: 'POST', path: '/alert', body: { ...alertOf('b'), notification_date: '2001-01-01' } },
  { method: 'POST', path: '/alert', body: alertOf('b') },
  { method: 'POST', path: '/movie/image', body: upload.body, headers: upload.headers },
];
const STATUSES = [201, 200, 200, 404, 200, 409, 200, 422, 201, 201];

const SCHEMA = 'src/app/alerts/schema.ts';
const FINGERPRINT = 'src/worker/idempotency-key.ts';

t.test(
  'keyed writes are answered over reloads and the way back as they were by the release before',
  async (t) => {
    const place = new Installation(t);
    // It compares requests in another way, and knows no default yet.
    const first = place.release('1.0.0');
    first.replace(FINGERPRINT, 'const FINGERPRINT_VERSION = 2;', 'const FINGERPRINT_VERSION = 1;');
    first.replace(FINGERPRINT, '      ctx.querystring,\n', '');
    place.release('2.0.0').replace(SCHEMA, 'category: text(100),', "category: text(100).default('drama'),");
    place.release('3.0.0').replace(SCHEMA, 'category: text(100),', "category: text(100).default('crime'),");
    place.point('1.0.0');
    const system = await place.start();

    const send = async (prefix: string) => {
      const answers: unknown[] = [];
      for (const [index, { method, path, body, headers = {} }] of WRITES.entries()) {
        const answer = await request(`${system.url}${path}`, {
          method,
          body,
          headers: { ...headers, 'Idempotency-Key': `${prefix}-${index}` },
        });
        const { etag, location } = answer.headers;
        const { request_id: _own, ...json } = answer.json;
        answers.push({ status: answer.status, json, etag, location });
        isReplayed.push(answer.headers['idempotent-replayed']);
      }
      return answers as { status: number }[];
    };
    const isReplayed: unknown[] = [];
    const stored = async () => (await request(`${system.url}/alert`)).json;
    const one = await send('one');
    t.same(
      one.map(({ status }) => status),
      STATUSES,
    );
    t.same(new Set(isReplayed.splice(0)), new Set([undefined]));
    const list = await stored();

    /** Repeats the writes for as long as the processes are exchanged, and once more. */
    const repeatedOver = async (words: readonly string[], expected: Readonly<Record<string, unknown>>) => {
      let isDone = false;
      const exchange = place.run(...words).finally(() => {
        isDone = true;
      });
      for (let rounds = 0, isLast = false; !isLast; rounds += 1) {
        isLast = isDone;
        for (const [prefix, answers] of Object.entries(expected)) {
          t.strictSame(await send(prefix), answers, `${words}: round ${rounds}, ${prefix}`);
        }
      }
      const { code, stderr } = await exchange;
      t.equal(code, 0, stderr);
      t.same(new Set(isReplayed.splice(0)), new Set(['true']));
      t.strictSame(await stored(), list, 'nothing was applied again');
    };

    place.point('2.0.0');
    await repeatedOver(['reload'], { one });
    t.equal((await place.status()).releases.workers.version, '2.0.0');
    place.point('3.0.0');
    await repeatedOver(['reload'], { one });
    t.equal((await place.status()).releases.workers.version, '3.0.0');
    await repeatedOver(['rollback'], { one });
    t.equal((await place.status()).releases.workers.version, '2.0.0');
  },
);

t.test(
  'a default that a release adds or changes makes no other request of one that leaves the field out',
  async (t) => {
    const place = new Installation(t);
    for (const [version, category] of [
      ['1.0.0', 'drama'],
      ['2.0.0', 'crime'],
    ] as const) {
      place
        .release(version)
        .replace(SCHEMA, 'category: text(100),', `category: text(100).default('${category}'),`);
    }
    place.point('1.0.0');
    const system = await place.start();
    const { category: _left, ...body } = alertOf('a');
    const post = async (more = {}) =>
      request(`${system.url}/alert`, {
        method: 'POST',
        body: { ...body, ...more },
        headers: { 'Idempotency-Key': 'k' },
      });
    const first = await post();
    like(t, [first.status, first.json.category], [201, 'drama']);
    place.point('2.0.0');
    const { code, stderr } = await place.run('reload');
    t.equal(code, 0, stderr);
    const again = await post();
    t.same([again.status, again.text, again.headers['idempotent-replayed']], [201, first.text, 'true']);
    t.equal((await post({ title: 'Another' })).status, 422, 'another request under the key is still told');
  },
);
