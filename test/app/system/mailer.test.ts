import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import t from 'tap';
import { request } from '../../support/http.ts';
import { like } from '../../support/like.ts';
import { type RunningSystem, start, until } from '../../support/system.ts';
import { IMAGES } from '../support/images.ts';
import { DUE, put, statusOf, TIMEZONE } from './mailer-fixture.ts';

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
