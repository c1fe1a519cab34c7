import { defineFeature } from '../contract/app.ts';

/** The keys of the API, and the guard of all routes: the one feature of the chassis itself. */
export const keys = defineFeature({
  name: 'keys',
  database: 'main',
  migrations: new URL('./migrations/', import.meta.url),
  commands: async () => (await import('./commands.ts')).commands,
  // Keys are created and revoked on the machine itself, not over HTTP.
  routes: async () => [],
  guard: async () => (await import('./guard.ts')).createGuard,
  checkStart: async () => (await import('./check-start.ts')).checkStart,
  doctor: async () => ({ keys: (await import('./doctor.ts')).checkKeys }),
  onRewind: {
    does: 'what was revoked or rotated since stays so; keys made since are gone',
    load: async () => (await import('./rewind.ts')).onRewind,
  },
});
