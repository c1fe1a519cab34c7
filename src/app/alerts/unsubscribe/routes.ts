import type { Database } from 'better-sqlite3';
import type { Context } from 'koa';
import { z } from 'zod';
import { type RouteContext, routesWith } from '../../../contract/route.ts';
import { Failure } from '../../../platform/errors.ts';
import type { commands } from '../commands.ts';
import { prepareUnsubscribeKey } from '../queries.ts';
import { open, type Subscription } from './token.ts';

const PATH = '/unsubscribe/:token';
const TOKEN = { token: { schema: z.string(), description: 'From the link of a mail.', example: 'x8Zp…' } };
const PAGE = { description: 'A page for people.', content: { 'text/html': {} } };
/** Nothing that the page does not need; it may post to itself. */
const POLICY = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const defineRoute = routesWith<RouteContext<typeof commands>>();

/**
 * Ends the mails of one owner to one address, for whoever has the link of a mail: by the button of a page, or in one
 * click of a mail program (RFC 8058). Reading the page changes nothing, since programs read what stands in a mail.
 */
export const unsubscribeRoutes = [
  defineRoute({
    method: 'get',
    path: PATH,
    scope: 'public',
    rate: 'public',
    id: 'showUnsubscribe',
    summary: 'The page that the unsubscribe link of a mail leads to',
    params: TOKEN,
    answers: { 200: PAGE },
    errors: ['not_found'],
    prepare({ db }) {
      const subscriptionOf = subscriptions(db);
      return (ctx, { params }) => {
        subscriptionOf(params.token);
        sendPage(
          ctx,
          'Unsubscribe',
          `<p>Shall this address get no more movie alerts from this sender?</p>
<form method="post"><button>Unsubscribe</button></form>`,
        );
      };
    },
  }),
  defineRoute({
    method: 'post',
    path: PATH,
    scope: 'public',
    rate: 'public',
    id: 'unsubscribe',
    summary: 'Unsubscribe the address that a mail went to, in one click (RFC 8058)',
    detail:
      'Whatever of its alerts is not sent yet is cancelled when its time comes. What the body holds is ignored.',
    params: TOKEN,
    answers: { 200: PAGE },
    errors: ['not_found'],
    prepare({ db, write }) {
      const subscriptionOf = subscriptions(db);
      return async (ctx, { params }) => {
        const { owner, addressHash } = subscriptionOf(params.token);
        await write(ctx, 'unsubscribe', { owner, addressHash: addressHash.toString('hex') });
        sendPage(ctx, 'Unsubscribed', '<p>This address gets no more movie alerts from this sender.</p>');
      };
    },
  }),
];

/** @returns what tells whom a link unsubscribes from whom; it throws for one that is not valid */
function subscriptions(db: Database): (token: string) => Subscription {
  const unsubscribeKey = prepareUnsubscribeKey(db);
  return (token) => {
    const key = unsubscribeKey();
    const subscription = key && open(token, key);
    if (subscription === undefined) throw new Failure('not_found', 'This link is not valid');
    return subscription;
  };
}

function sendPage(ctx: Context, title: string, content: string): void {
  ctx.status = 200;
  ctx.set({
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': POLICY,
    'Cache-Control': 'no-store',
    // The address of the page is a secret of its reader.
    'Referrer-Policy': 'no-referrer',
  });
  ctx.body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<h1>${title}</h1>
${content}
</html>
`;
}
