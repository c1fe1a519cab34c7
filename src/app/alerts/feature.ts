import { defineFeature } from '../../contract/app.ts';
import { codes } from './codes.ts';
import { metrics } from './metrics.ts';

/** Reminders of movies by e-mail. */
export const alerts = defineFeature({
  name: 'alerts',
  database: 'main',
  migrations: new URL('./migrations/', import.meta.url),
  codes,
  metrics,
  settings: async () => (await import('./settings.ts')).settings,
  commands: async () => (await import('./commands.ts')).commands,
  routes: async () => (await import('./routes.ts')).routes,
  background: [
    {
      name: 'mailer',
      secrets: ['SMTP_URL'],
      prepare: async () => (await import('./delivery/main.ts')).prepareMailer,
    },
  ],
  doctor: async () => ({ alerts: (await import('./doctor.ts')).checkAlerts }),
  onRewind: {
    does: 'what was sent since stays sent, and whoever has unsubscribed since stays so',
    load: async () => (await import('./rewind.ts')).onRewind,
  },
});
