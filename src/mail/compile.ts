import { encodedWords } from './encoded-words.ts';
import type { Mail } from './mail.ts';
import { MailComposer } from './nodemailer.ts';

/** Begins an encoded word (RFC 2047), which a mail program decodes. nodemailer leaves a valid one as it is. */
const ENCODED_WORD = '=?';

/**
 * @returns the mail as it is sent (RFC 5322, MIME), with CRLF line ends
 * @throws Error when no valid mail can be made of it
 */
export async function compile(mail: Mail): Promise<Buffer> {
  const composer = new MailComposer({
    messageId: `<${mail.messageId}>`,
    from: { ...mail.from },
    // An object is taken as it is: a string would be parsed as a list of addresses.
    to: { name: '', address: mail.to },
    ...(!mail.subject.includes(ENCODED_WORD) && { subject: mail.subject }),
    text: mail.text,
    ...(mail.html !== undefined && { html: mail.html }),
    attachments: mail.inline.map(({ cid, filename, type, bytes }) => ({
      cid,
      filename,
      contentType: type,
      contentDisposition: 'inline' as const,
      content: bytes,
    })),
    headers: {
      ...(mail.subject.includes(ENCODED_WORD) && {
        Subject: { prepared: true, value: encodedWords(mail.subject) },
      }),
      ...(mail.unsubscribeUrl !== undefined && {
        // Prepared, so that it is not folded: a fold would break the URL.
        'List-Unsubscribe': { prepared: true, value: `<${mail.unsubscribeUrl}>` },
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      }),
      // RFC 3834: no automatic reply, such as a holiday notice, should be sent.
      'Auto-Submitted': 'auto-generated',
    },
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return await composer.compile().build();
}
