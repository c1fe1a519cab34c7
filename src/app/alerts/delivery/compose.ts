import { createHash } from 'node:crypto';
import type { InlineFile, Mail } from '../../../mail/mail.ts';
import { visibleText } from '../../../mail/visible-text.ts';
import type { Mailbox } from '../../../platform/mail-address.ts';
import { escapeHtml } from '../../../worker/escape-html.ts';
import { hashOfAddress, seal } from '../unsubscribe/token.ts';
import type { DueAlert } from './queries.ts';

const COVER_CID = 'cover';
/** Stands for a title of which nothing is to be seen. */
const UNTITLED = 'a movie';
/** Our own images, wherever the API was reached when their URL was handed out. */
const OWN_IMAGE = /\/movie\/image\/([\w-]{43})$/;

export interface ComposeOptions {
  readonly from: Mailbox;
  /** What our links begin with, without a slash at the end. */
  readonly publicUrl: string;
  /** An image that the owner has uploaded; undefined when there is none with this id. */
  readonly findImage: (owner: string, id: string) => { type: string; bytes: Buffer } | undefined;
  readonly unsubscribeKey: () => Buffer;
}

/** Makes the mail of an alert. The same alert, in the same version, makes the same Message-ID. */
export function composer(options: ComposeOptions): (alert: DueAlert) => Mail {
  const { from, publicUrl, findImage, unsubscribeKey } = options;
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  return (alert) => {
    const { owner, email, notification_date: date } = alert;
    const title = visibleText(alert.title) || UNTITLED;
    const category = visibleText(alert.category);
    const cover = coverOf(alert);
    const token = seal({ owner, addressHash: hashOfAddress(email) }, unsubscribeKey());
    const unsubscribeUrl = `${publicUrl}/unsubscribe/${token}`;
    return {
      messageId: `${nameOf(alert)}@${domain}`,
      from,
      to: email,
      subject: `Reminder: ${title}`,
      text: `${title}\n${category}\n\nYou wanted to be reminded of this movie on ${date}.\n\nNo more of these: ${unsubscribeUrl}\n`,
      html: page({
        title,
        category,
        date,
        unsubscribeUrl,
        imageUrl: cover ? `cid:${COVER_CID}` : alert.imageUrl,
      }),
      inline: cover ? [cover] : [],
      unsubscribeUrl,
    };
  };

  function coverOf({ owner, imageUrl }: DueAlert): InlineFile | undefined {
    const id = OWN_IMAGE.exec(new URL(imageUrl).pathname)?.[1];
    const image = id === undefined ? undefined : findImage(owner, id);
    return image && { cid: COVER_CID, filename: `cover.${image.type.replace(/.*\//, '')}`, ...image };
  }
}

/** Says nothing of how many alerts there are. */
function nameOf({ id, createdAtMs, version, notification_date }: DueAlert): string {
  const facts = JSON.stringify([id, createdAtMs, version, notification_date]);
  return createHash('sha256').update(facts).digest('hex').slice(0, 40);
}

function page(
  values: Readonly<Record<'title' | 'category' | 'date' | 'unsubscribeUrl' | 'imageUrl', string>>,
): string {
  const { title, category, date, unsubscribeUrl, imageUrl } = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, escapeHtml(value)]),
  ) as typeof values;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title></head>
<body style="font-family: sans-serif; max-width: 32em; margin: 0 auto; padding: 1em">
<h1 style="font-size: 1.4em">${title}</h1>
<p>${category}</p>
<p><img src="${imageUrl}" alt="${title}" style="max-width: 100%"></p>
<p>You wanted to be reminded of this movie on ${date}.</p>
<p style="font-size: 0.8em"><a href="${unsubscribeUrl}">No more of these</a></p>
</body>
</html>
`;
}
