import { smtpServerOf } from '../config/smtp-url.ts';
import type { Delivery, Mail, Transport } from './mail.ts';
import { type Sending, type SessionOptions, type SmtpError, SmtpSession } from './smtp-session.ts';

/** Most mails over one connection; many servers accept no more. */
const MAILS_PER_SESSION_MAX = 100;

export interface SmtpOptions {
  /** `smtp://` or `smtps://`, with the credentials. */
  readonly url: string;
  readonly connections: number;
  /** How long the server may be silent. */
  readonly timeoutMs: number;
}

/**
 * Hands mails to a mail server over a few kept connections. States of a connection: idle ⇄ lent to one mail. There are
 * as many connections as mails that are sent at the same time.
 */
export class Smtp implements Transport {
  readonly concurrency: number;
  readonly #options: SessionOptions;
  readonly #idle: SmtpSession[] = [];
  #isClosed = false;

  /** @param options with a URL that `smtpServerOf` reads */
  constructor({ url, connections, timeoutMs }: SmtpOptions) {
    this.concurrency = connections;
    this.#options = { server: smtpServerOf(url)!, timeoutMs };
  }

  async send(mail: Mail, content: Buffer): Promise<Delivery> {
    // The server may have closed a kept connection unnoticed. Nothing of the mail was read then: a new one is tried.
    const kept = this.#takeIdle();
    const first = kept && (await this.#sendOver(kept, mail, content));
    if (first && !isStale(first)) return deliveryOf(first);
    let session: SmtpSession;
    try {
      session = await SmtpSession.open(this.#options);
    } catch (error) {
      // No part of the mail was sent yet.
      return { outcome: 'unavailable', reason: reasonOf(error as SmtpError) };
    }
    return deliveryOf(await this.#sendOver(session, mail, content));
  }

  close(): void {
    this.#isClosed = true;
    for (const session of this.#idle.splice(0)) session.quit();
  }

  #takeIdle(): SmtpSession | undefined {
    for (;;) {
      const session = this.#idle.pop();
      if (session === undefined || !session.isClosed) return session;
    }
  }

  async #sendOver(session: SmtpSession, mail: Mail, content: Buffer): Promise<Sending> {
    const sending = await session.send(mail.from.address, mail.to, content);
    if (sending === 'taken' || (await session.reset())) this.#keep(session);
    else session.close();
    return sending;
  }

  #keep(session: SmtpSession): void {
    if (this.#isClosed || session.sentCount >= MAILS_PER_SESSION_MAX || this.#idle.length >= this.concurrency)
      session.quit();
    else this.#idle.push(session);
  }
}

/** The mail is larger than the server accepts; said before the mail is sent (RFC 1870). */
const TOO_LARGE = 552;
/** The server closes the connection, whatever the command was (RFC 5321 4.2). */
const CLOSING = 421;
/** Errors that nodemailer finds in the mail itself, without an answer of the server. */
const OF_THE_MAIL: ReadonlySet<string> = new Set(['EENVELOPE', 'EMESSAGE']);
/** Matches the codes of Node.js and OpenSSL for a certificate that they do not trust. */
const OF_THE_CERTIFICATE = /CERT|CRL|LEAF|INVALID_(?:CA|PURPOSE)|PATH_LENGTH|HOSTNAME_MISMATCH/;

function isStale(sending: Sending): boolean {
  return sending !== 'taken' && !sending.isBegun && isLost(sending.error);
}

function isLost({ code = '', responseCode }: SmtpError): boolean {
  return responseCode === CLOSING || (responseCode === undefined && !OF_THE_MAIL.has(code));
}

/** @returns the delivery that the result of a session means */
function deliveryOf(sending: Sending): Delivery {
  if (sending === 'taken') return { outcome: 'sent' };
  const { error, isBegun } = sending;
  const { command = '', responseCode } = error;
  const reason = reasonOf(error);
  // A refused sender is not this mail's fault, and would otherwise turn every mail of the day into a failed one.
  const isSenderRefused = command === 'MAIL FROM' && responseCode !== undefined && responseCode !== TOO_LARGE;
  const isClosing = responseCode === CLOSING && !isBegun;
  if (isSenderRefused || isClosing) return { outcome: 'unavailable', reason };
  // A connection lost within a mail counts as its failed try: if the mail is the cause, it must not block all others.
  if (isLost(error)) return { outcome: 'deferred', reason, isConnectionLost: true };
  if (responseCode !== undefined && responseCode < 500) {
    return { outcome: 'deferred', reason, isConnectionLost: false };
  }
  return { outcome: 'refused', reason };
}

/** Only codes (RFC 5321, RFC 3463) are repeated: the server's text may name the recipient. */
function reasonOf({
  code = 'unknown',
  originalCode,
  command = '',
  responseCode,
  response = '',
}: SmtpError): string {
  if (responseCode === undefined) {
    const name = originalCode ?? code;
    if (OF_THE_CERTIFICATE.test(name)) return `The certificate of the mail server is not trusted: ${name}`;
    if (code === 'EMESSAGE') return 'The mail is larger than the mail server takes';
    return `The connection to the mail server failed: ${name}`;
  }
  const at = command === '' || command === 'CONN' ? '' : ` to ${command}`;
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1];
  return `The mail server answered ${responseCode}${enhanced ? ` ${enhanced}` : ''}${at}`;
}
