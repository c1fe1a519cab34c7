import { defineFeature } from '../../contract/app.ts';
import { codes } from './codes.ts';

/** Cover images. */
export const images = defineFeature({
  name: 'images',
  database: 'media',
  migrations: new URL('./migrations/', import.meta.url),
  codes,
  settings: async () => (await import('./settings.ts')).settings,
  commands: async () => (await import('./commands.ts')).commands,
  routes: async () => (await import('./routes.ts')).routes,
});
