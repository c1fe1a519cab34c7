import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import { newLeaseOwner } from '../../../src/app/alerts/delivery/lease-owner.ts';
import { request } from '../../support/http.ts';
import { like } from '../../support/like.ts';
import { startSmtp } from '../../support/smtp.ts';
import { processesOf, start, until } from '../../support/system.ts';
import { DUE, put, SENDER, statusOf, TIMEZONE } from './mailer-fixture.ts';

t.test('what a mailer of another machine is sending is left to it until its lease expires', async (t) => {
  const server = await startSmtp(t);
  const early = await start(t, { TIMEZONE, DELIVERY_HOUR: '23:59' });
  for (const id of ['here', 'elsewhere']) await put(early, id);
  await early.stop();
  const gone = spawnSync(process.execPath, ['--version']).pid;
  const db = new Sqlite(join(early.dataDir, 'main.db'));
  db.pragma('wal_autocheckpoint = 0');
  const lease = db.prepare(
    "UPDATE alerts SET status = 'sending', lease_owner = ?, lease_until_ms = ? WHERE movie_id = ?",
  );
  const here = newLeaseOwner().replace(`/${process.pid}-`, `/${gone}-`);
  const untilMs = Date.now() + 1_800_000;
  lease.run(here, untilMs, 'here');
  lease.run(here.replace(/^[^/]+/, crypto.randomUUID()), untilMs, 'elsewhere');
  db.close();
  const leases = { DELIVERY_LEASE_MS: '3600000' };
  const system = await start(t, { ...DUE, ...SENDER, ...leases, SMTP_URL: server.url }, early.dataDir);
  await until(async () => (await statusOf(system, 'here')) === 'sent', 'the dead one is made up for');
  t.equal(await statusOf(system, 'elsewhere'), 'sending');
});

t.test('a mail server without a sender of its own pauses the mailer, and nothing else', async (t) => {
  const server = await startSmtp(t);
  const system = await start(t, { ...DUE, SMTP_URL: server.url });
  const reason = 'SMTP_URL needs MAIL_FROM and PUBLIC_URL too';
  t.equal((await system.ready()).mail, `${server.url}, paused: ${reason}`);
  await put(system, 'm');
  await until(async () => {
    const { json } = await request(`${system.url}/ready`);
    return isDeepStrictEqual(json, { ready: true, degraded: [{ name: 'mailer', reason }] });
  }, 'it is degraded');
  t.equal(await statusOf(system, 'm'), 'scheduled');
  t.equal(server.connections().total, 0);
});

t.test(
  'the password of the mail server is the mailer’s alone, and a killed mailer is made up for',
  async (t) => {
    const logins: string[] = [];
    const server = await startSmtp(t, {
      authOptional: false,
      allowInsecureAuth: true,
      onAuth(auth, _session, callback) {
        logins.push(`${auth.username}:${auth.password}`);
        callback(null, { user: auth.username });
      },
    });
    const SMTP_URL = server.url.replace('//', '//user:hunter%402@');
    const system = await start(t, { ...DUE, SMTP_URL, ...SENDER, LOG_LEVEL: 'debug' });
    like(t, await system.ready(), { mail: server.url });
    await put(system, 'm');
    await until(async () => (await statusOf(system, 'm')) === 'sent', 'it is sent');
    t.equal(logins[0], 'user:hunter@2');
    const head = server.received[0]?.bytes.toString() ?? '';
    t.match(head, /^List-Unsubscribe: <https:\/\/example\.org\/unsubscribe\//m);
    t.match(head, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m);
    await system.killChild('mailer');
    await put(system, 'n');
    await until(async () => (await statusOf(system, 'n')) === 'sent', 'its successor sends');
    const knowing = processesOf(system.dataDir).filter((pid) =>
      /hunter/.test(
        readFileSync(`/proc/${pid}/environ`, 'utf8') + readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
      ),
    );
    t.same(
      knowing.filter((pid) => pid !== system.pid),
      [system.pidOf('mailer')],
      'the primary is given it, and gives it to nobody else',
    );
    t.notMatch(JSON.stringify(system.lines) + system.stderr, /hunter/);
    const { text } = await request(`${system.url}/ready?verbose`);
    t.notMatch(text, /hunter/);
  },
);
