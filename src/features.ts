import type { Feature } from './feature.ts';
import type { Background } from './runtime/background.ts';

/** The features that this monolith serves: the only place where the chassis and the features meet. */
export const features: readonly Feature[] = [
  {
    name: 'keys',
    database: 'main',
    migrations: new URL('./keys/migrations/', import.meta.url),
    commands: async () => (await import('./keys/commands.ts')).commands,
    // Keys are made and ended by whoever has the machine, not over HTTP.
    routes: async () => () => {},
    guard: async () => (await import('./keys/guard.ts')).createGuard,
    checkStart: async () => (await import('./keys/check-start.ts')).checkStart,
    onRewind: {
      does: 'what was revoked or rotated since stays so; keys made since are gone',
      load: async () => (await import('./keys/rewind.ts')).onRewind,
    },
  },
  {
    name: 'alerts',
    database: 'main',
    migrations: new URL('./alerts/migrations/', import.meta.url),
    commands: async () => (await import('./alerts/commands.ts')).commands,
    routes: async () => (await import('./alerts/routes.ts')).routes,
    describe: async () => (await import('./alerts/description.ts')).description,
    background: [
      {
        name: 'mailer',
        entry: 'src/alerts/delivery/main.ts',
        secrets: ['SMTP_URL'],
      },
    ],
    onRewind: {
      does: 'what was sent since stays sent, and whoever has unsubscribed since stays so',
      load: async () => (await import('./alerts/rewind.ts')).onRewind,
    },
  },
  {
    name: 'images',
    database: 'media',
    migrations: new URL('./images/migrations/', import.meta.url),
    commands: async () => (await import('./images/commands.ts')).commands,
    routes: async () => (await import('./images/routes.ts')).routes,
    describe: async () => (await import('./images/description.ts')).description,
  },
];

/** @returns the background processes of all features. */
export function backgrounds(): readonly Background[] {
  return features.flatMap(({ background = [] }) => background);
}

/** @returns the names of the database files that the features use, each once, in order. */
export function databaseNames(): readonly string[] {
  return [...new Set(features.map((feature) => feature.database))];
}
