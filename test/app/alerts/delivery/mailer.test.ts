import t, { type Test } from 'tap';
import { DeliveryClock } from '../../../../src/app/alerts/delivery/clock.ts';
import { composer } from '../../../../src/app/alerts/delivery/compose.ts';
import { Mailer, type MailerOptions } from '../../../../src/app/alerts/delivery/mailer.ts';
import { prepareDeliveryQueries } from '../../../../src/app/alerts/delivery/queries.ts';
import { prepareUnsubscribeKey } from '../../../../src/app/alerts/queries.ts';
import { Smtp } from '../../../../src/mail/smtp.ts';
import { Failure } from '../../../../src/platform/errors.ts';
import { startApp, type TestApp } from '../../../support/app.ts';
import { like } from '../../../support/like.ts';
import { answer, startSmtp, UNTRUSTED } from '../../../support/smtp.ts';
import { until } from '../../../support/system.ts';

const TODAY = '2030-06-15';
const NOON_MS = Date.parse(`${TODAY}T12:00:00Z`);

interface Scene {
  readonly app: TestApp;
  /** The mailer's clock; the writer has its own. */
  nowMs: number;
}

async function scene(t: Test): Promise<Scene> {
  return { app: await startApp(t, { env: { TIMEZONE: 'UTC' } }), nowMs: NOON_MS };
}

async function put(app: TestApp, movieId: string, notification_date = TODAY): Promise<void> {
  const answer = await app.call('POST', '/alert', {
    body: {
      movieId,
      email: `${movieId}@example.com`,
      notification_date,
      title: `Title of ${movieId}`,
      category: 'drama',
      imageUrl: 'https://example.com/a.png',
    },
  });
  if (answer.status !== 201) throw new Error(answer.text);
}

const stateOf = async ({ app }: Scene, id: string) => (await app.call('GET', `/alert/movie/${id}`)).json();
const isIn = (scene: Scene, id: string, status: string) => async () =>
  (await stateOf(scene, id)).status === status;

/** Starts a mailer on the scene's database and a real server. */
function startMailer(t: Test, scene: Scene, url: string, change: Partial<MailerOptions> = {}): Mailer {
  const db = scene.app.writers.get('main')!;
  const transport = new Smtp({ url, connections: 2, timeoutMs: 2000 });
  const mailer = new Mailer({
    write: (async (name, input) => scene.app.write('alerts', name, input)) as MailerOptions['write'],
    queries: prepareDeliveryQueries(db),
    compose: composer({
      from: { name: '', address: 'movies@example.org' },
      publicUrl: 'https://example.org',
      findImage: () => undefined,
      unsubscribeKey: () => prepareUnsubscribeKey(db)()!,
    }),
    transport,
    clock: new DeliveryClock(scene.app.config),
    leaseOwner: 'test',
    leaseMs: 60_000,
    attemptsMax: 3,
    backoffMinMs: 1,
    backoffMaxMs: 2,
    now: () => scene.nowMs,
    random: () => 0.5,
    observe() {},
    log: { debug() {}, info() {}, warn() {}, error() {} } as never,
    ...change,
  });
  const ended = mailer.run();
  t.teardown(async () => {
    mailer.drain(0);
    await ended;
    transport.close();
  });
  return mailer;
}

t.test('what is due is sent once, and what is not waits for its hour', async (t) => {
  const my = await scene(t);
  const server = await startSmtp(t);
  await put(my.app, 'today');
  await put(my.app, 'tomorrow', '2030-06-16');
  await put(my.app, 'last-year', '2029-06-15');
  const mailer = startMailer(t, my, server.url);
  await until(isIn(my, 'today', 'sent'), 'the one of today is sent');
  await until(isIn(my, 'last-year', 'sent'), 'so is one that was missed');
  like(t, await stateOf(my, 'today'), { attempts: 1, last_error: null, sent_at: /^\d{4}-/ });
  t.equal((await stateOf(my, 'tomorrow')).status, 'scheduled');
  my.nowMs = Date.parse('2030-06-16T08:59:59Z');
  await put(my.app, 'probe', TODAY);
  await until(isIn(my, 'probe', 'sent'), 'it has looked again');
  t.equal((await stateOf(my, 'tomorrow')).status, 'scheduled', 'the hour has not come');
  my.nowMs += 1000;
  await until(isIn(my, 'tomorrow', 'sent'), 'the hour has come');
  t.same(server.received.map(({ to }) => to).toSorted(), [
    'last-year@example.com',
    'probe@example.com',
    'today@example.com',
    'tomorrow@example.com',
  ]);
  t.equal(mailer.totals.sent, 4);
});

t.test('one that is refused for good has failed, and is sent when it is retried', async (t) => {
  const my = await scene(t);
  let isRefused = true;
  const server = await startSmtp(t, { onMail: () => (isRefused ? answer(550, '5.7.1 no') : undefined) });
  await put(my.app, 'm');
  startMailer(t, my, server.url);
  await until(isIn(my, 'm', 'failed'), 'it has failed');
  like(t, await stateOf(my, 'm'), { attempts: 1, last_error: 'The mail server answered 550 5.7.1 to DATA' });
  const failed = (await my.app.call('GET', '/alert?status=failed')).json();
  like(t, failed, { items: [{ movieId: 'm' }] });
  isRefused = false;
  t.equal((await my.app.call('POST', '/alert/movie/m/retry')).status, 200);
  await until(isIn(my, 'm', 'sent'), 'it is sent');
});

t.test(
  'one that is put off is tried again with the same Message-ID, and fails when nothing helps',
  async (t) => {
    const my = await scene(t);
    const ids = new Map<string, string[]>();
    const server = await startSmtp(t, {
      onMail({ to, messageId }) {
        const seen = ids.get(to) ?? [];
        ids.set(to, [...seen, messageId]);
        return to.startsWith('never') || seen.length === 0 ? answer(451, 'later') : undefined;
      },
    });
    await put(my.app, 'once', '2026-12-31');
    await put(my.app, 'never', '2026-12-31');
    my.app.writers.get('main')!.exec("UPDATE alerts SET notification_date = '2020-01-01'");
    // The writer's clock decides when the next attempt is due.
    startMailer(t, my, server.url, { now: Date.now });
    await until(isIn(my, 'once', 'sent'), 'the second attempt succeeds');
    await until(isIn(my, 'never', 'failed'), 'after three attempts it has failed');
    t.equal((await stateOf(my, 'once')).attempts, 2);
    like(t, await stateOf(my, 'never'), { attempts: 3, next_attempt_at: null });
    for (const [to, count] of [
      ['once', 2],
      ['never', 3],
    ] as const) {
      const seen = ids.get(`${to}@example.com`)!;
      t.equal(seen.length, count);
      t.equal(new Set(seen).size, 1);
    }
  },
);

t.test('a server that is not there costs no attempt, and all is sent when it is back', async (t) => {
  const my = await scene(t);
  const gone = await startSmtp(t);
  await gone.close();
  for (let n = 0; n < 10; n += 1) await put(my.app, `m${n}`, '2026-12-31');
  my.app.writers.get('main')!.exec("UPDATE alerts SET notification_date = '2020-01-01'");
  const mailer = startMailer(t, my, gone.url, { now: Date.now });
  await until(() => mailer.trouble !== undefined, 'it is in trouble');
  await until(() => mailer.claimedCount === 0, 'what it had claimed is given back');
  t.match(mailer.trouble, /connection to the mail server failed/);
  const server = await startSmtp(t, { port: gone.port });
  for (let n = 0; n < 10; n += 1) await until(isIn(my, `m${n}`, 'sent'), `m${n} is sent`);
  t.equal(mailer.trouble, undefined);
  t.equal(server.received.length, 10);
  t.equal((await stateOf(my, 'm0')).attempts, 1);
});

t.test('a certificate that is not trusted costs no attempt, and its alert says why', async (t) => {
  const my = await scene(t);
  const server = await startSmtp(t, { disabledCommands: [] });
  await put(my.app, 'm', '2026-12-31');
  my.app.writers.get('main')!.exec("UPDATE alerts SET notification_date = '2020-01-01'");
  const mailer = startMailer(t, my, server.url, { now: Date.now, attemptsMax: 1 });
  await until(() => mailer.trouble !== undefined, 'it pauses');
  t.match(mailer.trouble, UNTRUSTED);
  await until(() => server.connections().total > 1, 'it tries again');
  await until(() => mailer.claimedCount === 0, 'what it had claimed is given back');
  const { status, attempts, last_error } = await stateOf(my, 'm');
  t.strictSame(
    { status, attempts, last_error },
    { status: 'scheduled', attempts: 0, last_error: mailer.trouble },
  );
});

t.test('one that may not send claims nothing, and says why', async (t) => {
  const my = await scene(t);
  const server = await startSmtp(t);
  await put(my.app, 'm');
  const paused = startMailer(t, my, server.url, { leaseOwner: 'paused', pausedBecause: 'no sender' });
  t.equal(paused.trouble, 'no sender');
  const claims: unknown[] = [];
  my.app.writers.get('main')!.function('note', (owner) => void claims.push(owner));
  my.app.writers
    .get('main')!
    .exec(
      "CREATE TEMP TRIGGER t AFTER UPDATE ON alerts WHEN new.status = 'sending' BEGIN SELECT note(new.lease_owner); END",
    );
  startMailer(t, my, server.url, { leaseOwner: 'other' });
  await until(isIn(my, 'm', 'sent'), 'another sends it');
  t.same(claims, ['other']);
});

t.test('what the writer does not take is told to it until it does, and the mail goes out once', async (t) => {
  const my = await scene(t);
  const server = await startSmtp(t);
  await put(my.app, 'm');
  let refusals = 3;
  startMailer(t, my, server.url, {
    write: (async (name, input) => {
      const value = await my.app.write('alerts', name, input);
      // Applied, and the answer lost: as a writer leaves it that dies.
      if (name === 'settle' && refusals-- > 0) throw new Failure('write_undecided', 'nobody knows');
      return value;
    }) as MailerOptions['write'],
  });
  await until(() => refusals < 0, 'it was told again');
  like(t, await stateOf(my, 'm'), { status: 'sent', attempts: 1 });
  t.equal(server.received.length, 1);
});

t.test('two at once send nothing twice, and one takes over what another has left', async (t) => {
  const my = await scene(t);
  const server = await startSmtp(t);
  for (let n = 0; n < 40; n += 1) await put(my.app, `m${n}`);
  await put(my.app, 'left');
  const db = my.app.writers.get('main')!;
  db.exec(
    "UPDATE alerts SET status = 'sending', lease_owner = 'gone', lease_until_ms = 1 WHERE movie_id = 'left'",
  );
  startMailer(t, my, server.url, { leaseOwner: 'one' });
  startMailer(t, my, server.url, { leaseOwner: 'two' });
  const count = db.prepare("SELECT count(*) FROM alerts WHERE status = 'sent'").pluck();
  await until(() => count.get() === 41, 'all are sent');
  t.equal(new Set(server.received.map(({ to }) => to)).size, 41);
  t.equal(server.received.length, 41);
});

t.test('a lease that is renewed is not taken, however long a mail takes', async (t) => {
  const my = await scene(t);
  const release = Promise.withResolvers<undefined>();
  const server = await startSmtp(t, { onMail: () => release.promise });
  await put(my.app, 'slow');
  // Longer than the mail is held, however busy the machine is.
  const transport = new Smtp({ url: server.url, connections: 2, timeoutMs: 60_000 });
  startMailer(t, my, server.url, { leaseOwner: 'one', leaseMs: 1000, transport });
  await until(() => server.begun() === 1, 'it is on its way');
  const begunMs = Date.now();
  startMailer(t, my, server.url, { leaseOwner: 'two', leaseMs: 1000, now: Date.now });
  const lease = my.app.writers
    .get('main')!
    .prepare<[], { lease_owner: string; lease_until_ms: number }>(
      'SELECT lease_owner, lease_until_ms FROM alerts',
    );
  // The other looks in that time; and both are in this process, which may stand still for a part of a lease.
  await until(() => lease.get()!.lease_until_ms > begunMs + 2500, 'the lease is renewed again and again');
  t.equal(lease.get()!.lease_owner, 'one');
  release.resolve(undefined);
  await until(isIn(my, 'slow', 'sent'), 'it is sent');
  t.equal(server.begun(), 1);
});

t.test('a drain gives back what has not begun and finishes what has', async (t) => {
  const my = await scene(t);
  const release = Promise.withResolvers<undefined>();
  const server = await startSmtp(t, { onMail: () => release.promise });
  for (let n = 0; n < 10; n += 1) await put(my.app, `m${n}`);
  const mailer = startMailer(t, my, server.url);
  await until(() => server.begun() === 2, 'both connections are busy');
  const states = async () => {
    const answer = await my.app.call('GET', '/alert');
    return (answer.json().items as { status: string }[]).map(({ status }) => status);
  };
  mailer.drain(5000);
  await until(() => mailer.claimedCount === 2, 'the rest is given back');
  release.resolve(undefined);
  await until(() => mailer.claimedCount === 0, 'it has finished');
  const ended = await states();
  t.equal(ended.filter((status) => status === 'sent').length, 2);
  t.equal(ended.filter((status) => status === 'scheduled').length, 8);
  t.equal(server.received.length, 2);
});

t.test(
  'an expired lease is taken, but not by the mailer that still sends it, wherever the clock went',
  async (t) => {
    const { app } = await scene(t);
    await put(app, 'm');
    const db = app.writers.get('main')!;
    const claim = async (held: number[]) => {
      const input = { leaseOwner: 'one', leaseMs: 60_000, dueThrough: TODAY, limit: 10, held };
      return ((await app.write('alerts', 'claim', input)) as { ids: number[] }).ids;
    };
    t.same(await claim([]), [1]);
    t.same(await claim([]), [], 'it is leased');
    for (const leaseUntilMs of [1, Date.now() + 3_600_000]) {
      db.prepare('UPDATE alerts SET lease_until_ms = ?').run(leaseUntilMs);
      t.same(await claim([1]), []);
      t.same(await claim([]), [1]);
    }
  },
);
