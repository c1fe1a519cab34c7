import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import t from 'tap';
import { request } from '../../support/http.ts';
import { like } from '../../support/like.ts';
import { startSmtp } from '../../support/smtp.ts';
import { processesOf, type RunningSystem, start, until } from '../../support/system.ts';
import { IMAGES } from '../support/images.ts';
import { DUE, put, SENDER, statusOf, TIMEZONE } from './mailer-fixture.ts';

async function upload(system: RunningSystem): Promise<string> {
  const head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
  const answer = await request(`${system.url}/movie/image`, {
    method: 'POST',
    headers: { 'Content-Type': 'multipart/form-data; boundary=x' },
    body: Buffer.concat([Buffer.from(head), IMAGES['image/png'], Buffer.from('\r\n--x--\r\n')]),
  });
  return answer.json.movie_url;
}

t.test(
  'without a mail server, mails become files, also those that a machine which was off has missed',
  async (t) => {
    const early = await start(t, { TIMEZONE, DELIVERY_HOUR: '23:59' });
    like(t, await early.ready(), { mail: /no SMTP_URL: files in .*outbox/, pids: { mailer: Number } });
    await put(early, 'm', { imageUrl: await upload(early) });
    const outbox = join(early.dataDir, 'outbox');
    t.equal(await statusOf(early, 'm'), 'scheduled', 'its hour has not come');
    t.equal((await early.stop()).code, 0);
    t.notOk(existsSync(outbox));

    const system = await start(t, DUE, early.dataDir);
    await until(async () => (await statusOf(system, 'm')) === 'sent', 'it is sent');
    const [file, ...others] = readdirSync(outbox);
    t.same(others, []);
    t.match(file, /^[\da-f]{40}\.eml$/);
    t.equal(statSync(join(outbox, file!)).mode & 0o777, 0o600);
    const mail = await simpleParser(readFileSync(join(outbox, file!)));
    t.equal(mail.subject, 'Reminder: Movie m');
    t.same(mail.attachments[0]?.content, IMAGES['image/png']);
    const link = /https?:\/\/\S+\/unsubscribe\/\S+/.exec(mail.text ?? '')![0];
    t.equal((await request(link, { method: 'POST' })).status, 200);
    await put(system, 'n');
    await until(
      async () => (await statusOf(system, 'n')) === 'cancelled',
      'who has unsubscribed gets no more',
    );
    t.equal(readdirSync(outbox).length, 1);
  },
);

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
