import { defineCommand, Failure } from 'ninelives';
import { z } from 'zod';

/** Of a note. */
export const text = z.string().min(1).max(1000);

const DAY_MS = 24 * 3600 * 1000;

/** Every write goes through one of these. They run in the writer, inside a transaction. */
export const commands = {
  add: defineCommand({
    input: z.object({ owner: z.string(), text }),
    prepare(db) {
      const insert = db.prepare<[string, string, number], number>(
        'INSERT INTO notes (owner, text, created_ms) VALUES (?, ?, ?) RETURNING id',
      );
      return ({ owner, text }, { nowMs, observe }) => {
        if (text.trim() === '') throw new Failure('note_blank', 'A note has more than blanks');
        const id = insert.pluck().get(owner, text, nowMs)!;
        observe('notes_total', 1);
        return { id, text };
      };
    },
  }),
  removeOld: defineCommand({
    input: z.object({}),
    prepare(db) {
      const remove = db.prepare('DELETE FROM notes WHERE created_ms < ?');
      return (_, { nowMs, config }) => {
        const { changes } = remove.run(nowMs - config.NOTE_LIFETIME_DAYS * DAY_MS);
        return { removed: changes };
      };
    },
  }),
};
