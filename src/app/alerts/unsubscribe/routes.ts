import type { Context } from 'koa';
import type { RouteContext } from '../../../contract/feature.ts';
import { Failure } from '../../../errors.ts';
import type { commands } from '../commands.ts';
import type { AlertQueries } from '../queries.ts';
import { open, type Subscription } from './token.ts';

const PATH = '/unsubscribe/:token';
/** Nothing that the page does not need; it may post to itself. */
const POLICY = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/**
 * Ends the mails of one owner to one address, for whoever has the link of a mail: by the button of a page, or in one
 * click of a mail program (RFC 8058). Reading the page changes nothing, since programs read what stands in a mail.
 */
export function unsubscribeRoutes(
  { route, write }: RouteContext<typeof commands>,
  queries: Pick<AlertQueries, 'unsubscribeKey'>,
): void {
  route.get(PATH, 'public', (ctx) => {
    subscriptionOf(ctx.params.token);
    sendPage(
      ctx,
      'Unsubscribe',
      `<p>Shall this address get no more movie alerts from this sender?</p>
<form method="post"><button>Unsubscribe</button></form>`,
    );
  });

  route.post(PATH, 'public', async (ctx) => {
    const { owner, addressHash } = subscriptionOf(ctx.params.token);
    await write(ctx, 'unsubscribe', { owner, addressHash: addressHash.toString('hex') });
    sendPage(ctx, 'Unsubscribed', '<p>This address gets no more movie alerts from this sender.</p>');
  });

  function subscriptionOf(token: string | undefined): Subscription {
    const key = queries.unsubscribeKey();
    const subscription = key && token ? open(token, key) : undefined;
    if (subscription === undefined) throw new Failure('not_found', 'This link is not valid');
    return subscription;
  }
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
