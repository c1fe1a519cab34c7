import { wholeNumber } from '../../../src/config/whole-number.ts';
import { defineSettings, type SettingsOf } from '../../../src/contract/settings.ts';

export const settings = defineSettings({
  TALLY_INTERVAL_MS: {
    schema: wholeNumber(10, 60_000),
    default: '500',
    unit: 'MS',
    changes: 'reload',
    about: 'how often notes are counted',
  },
});

type Own = SettingsOf<typeof settings>;

declare module '../../../src/contract/settings.ts' {
  interface AppSettings extends Own {}
}
