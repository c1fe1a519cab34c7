import { defineFeature } from '../../../src/contract/app.ts';
import { codes } from './codes.ts';
import { metrics } from './metrics.ts';

/** Short texts. */
export const notes = defineFeature({
  name: 'notes',
  database: 'main',
  migrations: new URL('./migrations/', import.meta.url),
  codes,
  metrics,
  settings: async () => (await import('./settings.ts')).settings,
  commands: async () => (await import('./commands.ts')).commands,
  routes: async () => (await import('./routes.ts')).routes,
  background: [
    {
      name: 'tally',
      secrets: ['SMTP_URL'],
      prepare: async () => (await import('./tally.ts')).prepareTally,
    },
  ],
  doctor: async () => ({ notes: (await import('./doctor.ts')).checkNotes }),
  onRewind: {
    does: 'nothing that left the system',
    load: async () => () => 'nothing had left the system',
  },
});
