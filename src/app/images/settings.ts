import { wholeNumber } from '../../config/whole-number.ts';
import { defineSettings, type SettingsOf } from '../../contract/settings.ts';

/** How much an owner may upload. */
export const settings = defineSettings({
  UPLOAD_QUOTA_MB: {
    schema: wholeNumber(0, 1_000_000),
    default: '0',
    unit: 'MB',
    changes: 'reload',
    about: 'how many MB of images each owner of keys may have; 0 is no limit',
  },
});

type Own = SettingsOf<typeof settings>;

declare module '../../contract/settings.ts' {
  interface AppSettings extends Own {}
}
