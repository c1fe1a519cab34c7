import { z } from 'zod';
import { publicBaseOf } from '../../../src/config/public-url.ts';
import { callerOf } from '../../../src/contract/feature.ts';
import { type RouteContext, routesWith } from '../../../src/contract/route.ts';
import { Failure } from '../../../src/platform/errors.ts';
import { sendJson } from '../../../src/worker/middleware/json.ts';
import { type commands, id, text } from './commands.ts';

const LIMIT_MAX = 1000;
const NO_SUCH_NOTE = 'There is no note with this id';

interface Note {
  readonly id: string;
  readonly text: string;
  readonly version: number;
}

const example = { id: 'a', text: 'milk', version: 1 };
const note = z.object({ id, text, version: z.int() }).meta({ id: 'Note' });
const NOTE = { 'application/json': { schema: note, example } };
const params = { id: { schema: id, description: 'Of the note.', example: 'a', absent: NO_SUCH_NOTE } };
const limit = z.coerce.number<string>().int().min(1).max(LIMIT_MAX);

const defineRoute = routesWith<RouteContext<typeof commands>>();

export const routes = [
  defineRoute({
    method: 'post',
    path: '/note',
    scope: 'write',
    rate: 'caller',
    id: 'addNote',
    summary: 'Make a note, or change it',
    body: { 'application/json': { schema: z.object({ id, text }).meta({ id: 'NewNote' }) } },
    answers: {
      201: { description: 'It is new.', content: NOTE, headers: { Location: 'Where it is.' } },
      200: {
        description: 'It was there, and has changed.',
        content: NOTE,
        headers: { Location: 'Where it is.' },
      },
    },
    errors: ['note_final'],
    prepare:
      ({ write, config }) =>
      async (ctx, { body }) => {
        const { isNew, note } = await write(ctx, 'put', { owner: callerOf(ctx).owner, ...body });
        ctx.set('Location', `${publicBaseOf(config) ?? ''}/note/${encodeURIComponent(body.id)}`);
        sendJson(ctx, isNew ? 201 : 200, note);
      },
  }),
  defineRoute({
    method: 'get',
    path: '/note',
    scope: 'read',
    rate: 'caller',
    id: 'listNotes',
    summary: 'All notes',
    query: {
      limit: {
        schema: limit.default(LIMIT_MAX),
        told: { type: 'integer', minimum: 1, maximum: LIMIT_MAX },
        description: 'At most so many.',
      },
      after: { schema: id.optional(), description: 'Those behind this one.' },
    },
    answers: {
      200: {
        description: 'In the order of their ids.',
        content: {
          'application/json': {
            schema: z.object({ items: z.array(note) }).meta({ id: 'Notes' }),
            example: { items: [example] },
          },
        },
      },
    },
    prepare({ db }) {
      const list = db.prepare<[string, string, number], Note>(
        'SELECT id, text, version FROM notes WHERE owner = ? AND id > ? ORDER BY id LIMIT ?',
      );
      return (ctx, { query }) =>
        sendJson(ctx, 200, { items: list.all(callerOf(ctx).owner, query.after ?? '', query.limit) });
    },
  }),
  defineRoute({
    method: 'get',
    path: '/note/:id',
    scope: 'read',
    rate: 'caller',
    id: 'getNote',
    summary: 'One note',
    params,
    answers: { 200: { description: 'The note.', content: NOTE } },
    errors: ['not_found'],
    prepare({ db }) {
      const find = db.prepare<[string, string], Note>(
        'SELECT id, text, version FROM notes WHERE owner = ? AND id = ?',
      );
      return (ctx, { params: { id } }) => {
        const found = find.get(callerOf(ctx).owner, id);
        if (found === undefined) throw new Failure('not_found', NO_SUCH_NOTE);
        sendJson(ctx, 200, found);
      };
    },
  }),
  defineRoute({
    method: 'put',
    path: '/note/:id',
    scope: 'write',
    rate: 'caller',
    id: 'putNote',
    summary: 'Make a note of this id, or change it',
    params,
    body: { 'application/json': { schema: z.object({ text }).meta({ id: 'NoteText' }) } },
    answers: { 200: { description: 'It is as it was sent.', content: NOTE } },
    errors: ['note_final'],
    prepare:
      ({ write }) =>
      async (ctx, { params: { id }, body }) => {
        const { note } = await write(ctx, 'put', { owner: callerOf(ctx).owner, id, ...body });
        sendJson(ctx, 200, note);
      },
  }),
  defineRoute({
    method: 'post',
    path: '/note/:id/touch',
    scope: 'write',
    rate: 'caller',
    id: 'touchNote',
    summary: 'Count a note as changed',
    params,
    answers: { 200: { description: 'It has another version.', content: NOTE } },
    errors: ['not_found'],
    prepare:
      ({ write }) =>
      async (ctx, { params: { id } }) => {
        const { note } = await write(ctx, 'touch', { owner: callerOf(ctx).owner, id });
        sendJson(ctx, 200, note);
      },
  }),
  defineRoute({
    method: 'delete',
    path: '/note/:id',
    scope: 'write',
    rate: 'caller',
    id: 'removeNote',
    summary: 'Remove a note',
    params,
    answers: { 200: { description: 'It was this one.', content: NOTE } },
    errors: ['not_found'],
    prepare:
      ({ write }) =>
      async (ctx, { params: { id } }) => {
        const { note } = await write(ctx, 'remove', { owner: callerOf(ctx).owner, id });
        sendJson(ctx, 200, note);
      },
  }),
  defineRoute({
    method: 'get',
    path: '/page/:token',
    scope: 'public',
    rate: 'public',
    id: 'showPage',
    summary: 'A page for everybody whose link has a token; there is none',
    params: { token: { schema: z.string(), description: 'A secret of who has the link.', example: 'x' } },
    answers: { 200: { description: 'The page.', content: { 'text/html': {} } } },
    errors: ['not_found'],
    prepare: () => () => {
      throw new Failure('not_found', 'There is no such page');
    },
  }),
];
