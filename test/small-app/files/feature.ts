import { defineFeature } from '../../../src/contract/app.ts';

/** Bytes, in a database of their own. */
export const files = defineFeature({
  name: 'files',
  database: 'media',
  migrations: new URL('./migrations/', import.meta.url),
  commands: async () => (await import('./commands.ts')).commands,
  routes: async () => (await import('./routes.ts')).routes,
});
