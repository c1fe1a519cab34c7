import { callerOf, Failure, type RouteContext } from 'ninelives';
import { readJson, sendJson, validate } from 'ninelives/http';
import { z } from 'zod';
import type { commands } from './commands.ts';

const newNote = z.object({ text: z.string().min(1).max(1000) });

/** The notes over HTTP. Reads go to SQLite here; writes go to the writer. */
export function routes({ route, db, write }: RouteContext<typeof commands>): void {
  const find = db.prepare<[string, string], { id: number; text: string }>(
    'SELECT id, text FROM notes WHERE owner = ? AND id = ?',
  );

  route.post('/notes', 'write', async (ctx) => {
    const { text } = validate(newNote, await readJson(ctx));
    const note = await write(ctx, 'add', { owner: callerOf(ctx).owner, text });
    ctx.set('Location', `/notes/${note.id}`);
    sendJson(ctx, 201, note);
  });

  route.get('/notes/:id', 'read', (ctx) => {
    const note = find.get(callerOf(ctx).owner, ctx.params.id!);
    if (note === undefined) throw new Failure('not_found', 'There is no such note');
    sendJson(ctx, 200, note);
  });
}
