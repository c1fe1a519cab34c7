import { callerOf, Failure, type RouteContext, routesWith } from 'ninelives';
import { sendJson } from 'ninelives/http';
import { z } from 'zod';
import { type commands, text } from './commands.ts';

const NOTE = {
  'application/json': {
    schema: z.object({ id: z.int(), text }).meta({ id: 'Note' }),
    example: { id: 1, text: 'milk' },
  },
};
const defineRoute = routesWith<RouteContext<typeof commands>>();

/** The notes over HTTP. Reads go to SQLite here; writes go to the writer. */
export const routes = [
  defineRoute({
    method: 'post',
    path: '/notes',
    scope: 'write',
    rate: 'caller',
    id: 'addNote',
    summary: 'Keep a note',
    body: { 'application/json': { schema: z.object({ text }).meta({ id: 'NewNote' }) } },
    answers: { 201: { description: 'It is kept.', content: NOTE, headers: { Location: 'Where it is.' } } },
    errors: ['note_blank'],
    prepare:
      ({ write }) =>
      async (ctx, { body }) => {
        const note = await write(ctx, 'add', { owner: callerOf(ctx).owner, text: body.text });
        ctx.set('Location', `/notes/${note.id}`);
        sendJson(ctx, 201, note);
      },
  }),
  defineRoute({
    method: 'get',
    path: '/notes/:id',
    scope: 'read',
    rate: 'caller',
    id: 'getNote',
    summary: 'Read a note',
    params: { id: { schema: z.coerce.number<string>().int(), description: 'Its number.', example: 1 } },
    answers: { 200: { description: 'The note.', content: NOTE } },
    errors: ['not_found'],
    prepare({ db }) {
      const find = db.prepare<[string, number], { id: number; text: string }>(
        'SELECT id, text FROM notes WHERE owner = ? AND id = ?',
      );
      return (ctx, { params }) => {
        const note = find.get(callerOf(ctx).owner, params.id);
        if (note === undefined) throw new Failure('not_found', 'There is no such note');
        sendJson(ctx, 200, note);
      };
    },
  }),
];
