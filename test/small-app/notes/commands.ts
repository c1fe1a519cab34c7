import { z } from 'zod';
import { defineCommand } from '../../../src/contract/command.ts';
import { Failure } from '../../../src/platform/errors.ts';

/** A note that begins so is never changed. */
const FINAL = 'final:';

export const id = z.string().min(1).max(100);
export const text = z.string().min(1).max(10_000);
const owner = z.string();

export const commands = {
  put: defineCommand({
    input: z.object({ owner, id, text }),
    prepare(db) {
      const find = db
        .prepare<[string, string], string>('SELECT text FROM notes WHERE owner = ? AND id = ?')
        .pluck();
      const put = db
        .prepare<[string, string, string], number>(
          `INSERT INTO notes (owner, id, text) VALUES (?, ?, ?)
           ON CONFLICT DO UPDATE SET text = excluded.text, version = version + 1 RETURNING version`,
        )
        .pluck();
      return ({ owner, id, text }, { observe }) => {
        if (find.get(owner, id)?.startsWith(FINAL)) throw new Failure('note_final', 'It begins with final:');
        const version = put.get(owner, id, text)!;
        observe('notes_put_total', 1, { how: version === 1 ? 'new' : 'changed' });
        return { isNew: version === 1, note: { id, text, version } };
      };
    },
  }),
  touch: defineCommand({
    input: z.object({ owner, id }),
    prepare(db) {
      const touch = db.prepare<[string, string], { id: string; text: string; version: number }>(
        'UPDATE notes SET version = version + 1 WHERE owner = ? AND id = ? RETURNING id, text, version',
      );
      return ({ owner, id }) => {
        const note = touch.get(owner, id);
        if (note === undefined) throw new Failure('not_found', 'There is no note with this id');
        return { note };
      };
    },
  }),
  remove: defineCommand({
    input: z.object({ owner, id }),
    prepare(db) {
      const remove = db.prepare<[string, string], { id: string; text: string; version: number }>(
        'DELETE FROM notes WHERE owner = ? AND id = ? RETURNING id, text, version',
      );
      return ({ owner, id }) => {
        const note = remove.get(owner, id);
        if (note === undefined) throw new Failure('not_found', 'There is no note with this id');
        return { note };
      };
    },
  }),
  tally: defineCommand({
    input: z.object({ name: z.string(), notes: z.int() }),
    prepare(db) {
      const set = db.prepare(
        'INSERT INTO tallies (name, notes) VALUES (?, ?) ON CONFLICT DO UPDATE SET notes = excluded.notes',
      );
      return ({ name, notes }) => ({ changed: set.run(name, notes).changes });
    },
  }),
};
