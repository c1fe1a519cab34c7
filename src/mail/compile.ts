import { encodedWords } from './encoded-words.ts';
import type { Mail } from './mail.ts';
import { MailComposer } from './nodemailer.ts';

/** Begins what a mail program decodes. nodemailer leaves it as it is where it is valid. */
const ENCODED_WORD = '=?';

/**
 * @returns the mail as it goes over the wire (RFC 5322, MIME), with CRLF line ends
 * @throws Error when it cannot be one
 */
export async function compile(mail: Mail): Promise<Buffer> {
  const composer = new MailComposer({
    messageId: `<${mail.messageId}>`,
    from: { ...mail.from },
    // An object is taken as it is: what stands in a string would be parsed once more.
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
        // As it is: a fold within the URL would break it.
        'List-Unsubscribe': { prepared: true, value: `<${mail.unsubscribeUrl}>` },
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      }),
      // RFC 3834: nobody on holiday needs to answer this.
      'Auto-Submitted': 'auto-generated',
    },
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return await composer.compile().build();
}
