import { defineFeature } from '../../contract/app.ts';

/** Cover images. */
export const images = defineFeature({
  name: 'images',
  database: 'media',
  migrations: new URL('./migrations/', import.meta.url),
  settings: async () => (await import('./settings.ts')).settings,
  commands: async () => (await import('./commands.ts')).commands,
  routes: async () => (await import('./routes.ts')).routes,
});
