import t from 'tap';
import { request } from '../../support/http.ts';
import { like } from '../../support/like.ts';
import { type RunningSystem, start } from '../../support/system.ts';
import { alertOf } from '../support/alert-of.ts';
import { IMAGES, upload } from '../support/images.ts';

t.test('a repetition gets the first answer also after the day and the settings have changed', async (t) => {
  // The day of the first zone is always past in the second.
  const [early, late] = ['Pacific/Pago_Pago', 'Pacific/Kiritimati'];
  const today = new Intl.DateTimeFormat('sv-SE', { timeZone: early }).format(new Date());
  const alert = { ...alertOf('dated'), notification_date: today };
  const image = upload(Buffer.concat([IMAGES['image/png'], Buffer.alloc(1024 * 1024)]));
  const send = async ({ url }: RunningSystem, keys: readonly string[]) => {
    const headers = (index: number) => (keys[index] ? { 'Idempotency-Key': keys[index] } : undefined);
    const answers = [
      await request(`${url}/alert`, { method: 'POST', body: alert, headers: { ...headers(0) } }),
      await request(`${url}/movie/image`, {
        method: 'POST',
        body: image.body,
        headers: { ...image.headers, ...headers(1) },
      }),
    ];
    return answers.map(({ status, text, headers: { location } }) => ({ status, text, location }));
  };
  const keys = ['alert', 'image'];
  const before = await start(t, { TIMEZONE: early, PUBLIC_URL: 'https://one.example.org' });
  const first = await send(before, keys);
  t.same(
    first.map(({ status }) => status),
    [201, 201],
  );
  await before.stop();
  const settings = { TIMEZONE: late, PUBLIC_URL: 'https://two.example.org', UPLOAD_QUOTA_MB: '1' };
  const after = await start(t, settings, before.dataDir);
  t.same(await send(after, keys), first, 'the first answers, byte for byte');
  const [refused, known] = await send(after, []);
  like(t, refused, { status: 422, text: /not past/ }, 'a new one is refused');
  like(t, known, { status: 200, location: /^https:\/\/two\./ });
});
