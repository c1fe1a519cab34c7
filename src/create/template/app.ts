import { defineApp, defineFeature } from 'ninelives';
import { codes } from './notes/codes.ts';
import { metrics } from './notes/metrics.ts';

/** Short texts that are kept for a while. */
const notes = defineFeature({
  name: 'notes',
  database: 'main',
  migrations: new URL('./notes/migrations/', import.meta.url),
  codes,
  metrics,
  settings: async () => (await import('./notes/settings.ts')).settings,
  commands: async () => (await import('./notes/commands.ts')).commands,
  routes: async () => (await import('./notes/routes.ts')).routes,
  background: [{ name: 'cleaner', prepare: async () => (await import('./notes/cleaner.ts')).cleaner }],
});

export default defineApp({
  title: 'Notes',
  description: 'Short texts that are kept for a while.',
  features: [notes],
});
