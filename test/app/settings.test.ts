import t from 'tap';
import { loadConfig } from '../../src/config/config.ts';
import { appConfigOf, appSettingMistakes, describeAppSettings } from '../../src/features/app-settings.ts';
import { like } from '../support/like.ts';

t.test('what delivery and uploads are set to is checked, each mistake by its name', async (t) => {
  const wrong = {
    DELIVERY_HOUR: '24:00',
    TIMEZONE: 'Europe/Atlantis',
    DELIVERY_LEASE_MS: '999',
    UPLOAD_QUOTA_MB: '-1',
  };
  const mistakes = await appSettingMistakes(wrong);
  t.strictSame(mistakes, [
    { field: 'DELIVERY_HOUR', message: 'expected a time of the day as HH:MM' },
    { field: 'TIMEZONE', message: 'expected the IANA name of a time zone, such as Europe/Berlin' },
    { field: 'DELIVERY_LEASE_MS', message: 'expected a whole number from 1000 to 3600000' },
    { field: 'UPLOAD_QUOTA_MB', message: 'expected a whole number from 0 to 1000000' },
  ]);
  t.strictSame(await appSettingMistakes({ DELIVERY_BACKOFF_MIN_MS: '21600001' }), [
    {
      field: 'DELIVERY_BACKOFF_MIN_MS',
      message: 'expected no more than DELIVERY_BACKOFF_MAX_MS, which is 21600000',
    },
  ]);
});

t.test('a feature gets the settings of the chassis, what was given, and else the defaults', async (t) => {
  const { config } = loadConfig({ PORT: '0' }, '/srv/app');
  like(t, await appConfigOf(config), {
    PORT: 0,
    DELIVERY_HOUR: '09:00',
    TIMEZONE: Intl.DateTimeFormat().resolvedOptions().timeZone,
    DELIVERY_ATTEMPTS_MAX: 12,
    UPLOAD_QUOTA_MB: 0,
  });
  const appSettings = { TIMEZONE: 'Pacific/Apia', UPLOAD_QUOTA_MB: '3', DELIVERY_HOUR: '' };
  const given = await appConfigOf({ ...config, appSettings });
  like(t, given, { TIMEZONE: 'Pacific/Apia', UPLOAD_QUOTA_MB: 3, DELIVERY_HOUR: '09:00' });
  t.ok(Object.isFrozen(given));
  await t.rejects(appConfigOf({ ...config, appSettings: { TIMEZONE: 'x' } }), { code: 'config_invalid' });
});

t.test('the help of a start has a line for each', async (t) => {
  const lines = (await describeAppSettings()).split('\n');
  t.equal(lines.length, 7);
  t.equal(lines[0], '  DELIVERY_HOUR            when the alerts of a day are sent, as HH:MM (default 09:00)');
});
