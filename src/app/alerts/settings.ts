import { z } from 'zod';
import { wholeNumber } from '../../config/whole-number.ts';
import { defineSettings, type SettingsOf } from '../../contract/settings.ts';

const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;

/** When alerts are sent, and how often it is tried. */
export const settings = defineSettings({
  DELIVERY_HOUR: {
    schema: z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'expected a time of the day as HH:MM'),
    default: '09:00',
    changes: 'reload',
    about: 'when the alerts of a day are sent, as HH:MM',
  },
  TIMEZONE: {
    schema: z
      .string()
      .refine(isTimeZone, 'expected the IANA name of a time zone, such as Europe/Berlin')
      .default(() => Intl.DateTimeFormat().resolvedOptions().timeZone),
    changes: 'reload',
    about: 'where that is, as the IANA name of a time zone; by default that of the machine',
  },
  DELIVERY_LEASE_MS: {
    schema: wholeNumber(SECOND_MS, HOUR_MS),
    default: '60000',
    unit: 'MS',
    changes: 'reload',
    about: 'how long an alert that is being sent belongs to the mailer that sends it',
  },
  DELIVERY_ATTEMPTS_MAX: {
    schema: wholeNumber(1, 1000),
    default: '12',
    changes: 'reload',
    about: 'how often an alert is tried before it has failed',
  },
  DELIVERY_BACKOFF_MIN_MS: {
    schema: wholeNumber(1, 24 * HOUR_MS),
    default: '60000',
    unit: 'MS',
    changes: 'reload',
    atMost: 'DELIVERY_BACKOFF_MAX_MS',
    about: 'the wait before an alert is tried again; doubles each time',
  },
  DELIVERY_BACKOFF_MAX_MS: {
    schema: wholeNumber(1, 24 * HOUR_MS),
    default: '21600000',
    unit: 'MS',
    changes: 'reload',
    about: 'the longest such wait',
  },
});

type Own = SettingsOf<typeof settings>;

declare module '../../contract/settings.ts' {
  interface AppSettings extends Own {}
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
