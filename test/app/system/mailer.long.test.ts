import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import Sqlite from 'better-sqlite3';
import t from 'tap';
import { newLeaseOwner } from '../../../src/app/alerts/delivery/lease-owner.ts';
import { request } from '../../support/http.ts';
import { startSmtp } from '../../support/smtp.ts';
import { start, until } from '../../support/system.ts';
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
