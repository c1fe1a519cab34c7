import { defineSettings, type SettingsOf, wholeNumber } from 'ninelives';

export const settings = defineSettings({
  NOTE_LIFETIME_DAYS: {
    schema: wholeNumber(1, 3650),
    default: '30',
    unit: 'DAYS',
    changes: 'reload',
    about: 'how long a note is kept',
  },
});

type Own = SettingsOf<typeof settings>;

declare module 'ninelives' {
  interface AppSettings extends Own {}
}
