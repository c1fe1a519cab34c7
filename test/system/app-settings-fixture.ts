import type { Test } from 'tap';
import { Installation } from '../support/installation.ts';

/** Tells by its answer what the workers have of the settings. */
const APP = `import { z } from 'zod';
import { defineApp, defineFeature } from '../src/contract/app.ts';
import { defineCommand } from '../src/contract/command.ts';
import { defineRoute } from '../src/contract/route.ts';
import { repeat } from '../src/background.ts';
export default defineApp({
  title: 'Words',
  description: 'Words.',
  features: [
    defineFeature({
      name: 'words',
      database: 'main',
      migrations: new URL('./migrations/', import.meta.url),
      settings: async () => ({
        WORDS_MAX: { schema: z.string().regex(/^\\d$/, 'expected a digit'), default: '3', changes: 'reload', about: 'how many' },
        WORDS_FOLDER: { schema: z.string().optional(), changes: 'restart', about: 'where' },
        WORDS_KEY: { schema: z.string().min(9, 'expected 9 characters').optional(), changes: 'reload', takenBy: ['worker'], about: 'a key' },
        RUN_KEY: { schema: z.string().optional(), changes: 'reload', takenBy: ['runner'], about: 'another key' },
      }),
      commands: async () => ({
        note: defineCommand({
          input: z.object({ by: z.string(), text: z.string() }),
          prepare(db) {
            const note = db.prepare('INSERT INTO noted (by, text) VALUES (?, ?) ON CONFLICT DO UPDATE SET text = excluded.text');
            return ({ by, text }) => void note.run(by, text);
          },
        }),
      }),
      background: [
        {
          name: 'repeater',
          prepare: async () => repeat({ everyMs: 50 }, async ({ db, write, config, secrets }) => {
            const [{ count }] = db.prepare('SELECT count(*) AS count FROM noted').all();
            const text = [config.WORDS_MAX, config.WORDS_KEY ?? 'none', secrets.WORDS_KEY ?? 'none', count > 0].join();
            await write('note', { by: 'repeater', text });
          }),
        },
        {
          name: 'runner',
          prepare: async () => ({ write, config, secrets, report, onDrain }) => {
            const drained = Promise.withResolvers();
            onDrain(drained.resolve);
            return async ({ url }) => {
              const text = [config.WORDS_MAX, secrets.RUN_KEY, process.env.RUN_KEY ?? 'none', url.startsWith('http')].join();
              await write('note', { by: 'runner', text });
              report({ gauges: { words: 7 }, trouble: 'words are missing' });
              await drained.promise;
              await write('note', { by: 'drained', text: config.WORDS_MAX });
            };
          },
        },
      ],
      routes: async () => [
        defineRoute({
          method: 'get', path: '/noted', scope: 'read', rate: 'caller', id: 'getNoted', summary: 'What is noted',
          answers: { 200: { description: 'It.' } },
          prepare({ db }) {
            const all = db.prepare('SELECT by, text FROM noted ORDER BY by');
            return (ctx) => { ctx.body = JSON.stringify(Object.fromEntries(all.all().map(({ by, text }) => [by, text]))); };
          },
        }),
        defineRoute({
          method: 'get', path: '/words', scope: 'read', rate: 'caller', id: 'getWords', summary: 'The words',
          answers: { 200: { description: 'They.' } },
          prepare: ({ config, secrets }) => (ctx) => {
            ctx.body = [config.WORDS_MAX, config.WORDS_KEY ?? 'none', secrets.WORDS_KEY, process.env.WORDS_KEY ?? 'none'].join();
          },
        }),
      ],
    }),
  ],
});
`;

export function placeOf(t: Test): Installation {
  const place = new Installation(t);
  const release = place.release('1.0.0');
  release.write('words/app.ts', APP);
  release.write(
    'words/migrations/0001_create_noted.sql',
    'CREATE TABLE noted (by TEXT PRIMARY KEY, text TEXT) STRICT;',
  );
  release.replace('package.json', '"app": "test/small-app/app.ts"', '"app": "words/app.ts"');
  place.point('1.0.0');
  return place;
}
