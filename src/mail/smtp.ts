import { createTransport } from 'nodemailer';
import type SMTPPool from 'nodemailer/lib/smtp-pool';
import { isLoopbackHost } from '../loopback.ts';
import type { Delivery, Mail, Transport } from './mail.ts';
import { smtpServerOf } from './smtp-url.ts';

/** What nodemailer says of a failure beside its words, which may quote an address or a password. */
interface SmtpError {
  readonly code?: string;
  /** The SMTP command that it came of; `CONN` for the connection itself. */
  readonly command?: string;
  readonly responseCode?: number;
  readonly response?: string;
}

export interface SmtpOptions {
  /** `smtp://` or `smtps://`, with the credentials. */
  readonly url: string;
  readonly connections: number;
  /** How long the server may be silent. */
  readonly timeoutMs: number;
}

/** Hands mails to a mail server, over a few connections that are kept. */
export class Smtp implements Transport {
  readonly concurrency: number;
  readonly #pool: ReturnType<typeof createTransport>;

  constructor({ url, connections, timeoutMs }: SmtpOptions) {
    const server = smtpServerOf(url)!;
    const options: SMTPPool.Options & { url: string; dnsTimeout: number; maxRequeues: number } = {
      url,
      pool: true,
      maxConnections: connections,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      // Longer, so that a server which never speaks is told from one that stops in the middle of a mail.
      socketTimeout: 2 * timeoutMs,
      dnsTimeout: timeoutMs,
      // A mail of which the server has read nothing goes over another connection, once; any other is our own to retry.
      maxRequeues: 1,
      ...(server.hasCredentials && !isLoopbackHost(server.hostname) && { requireTLS: true }),
      disableFileAccess: true,
      disableUrlAccess: true,
    };
    this.concurrency = connections;
    this.#pool = createTransport(options);
  }

  async send(mail: Mail, content: Buffer): Promise<Delivery> {
    try {
      await this.#pool.sendMail({ envelope: { from: mail.from.address, to: [mail.to] }, raw: content });
      return { outcome: 'sent' };
    } catch (error) {
      return deliveryOf(error as SmtpError);
    }
  }

  close(): void {
    this.#pool.close();
  }
}

/** What keeps the server from being spoken to, whatever the mail is. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  'EDNS',
  'EAUTH',
  'ENOAUTH',
  'EOAUTH2',
  'ETLS',
  'EPROXY',
  'ECONFIG',
]);
/** Commands that come before the first one of a mail. */
const OPENING = /^(?:CONN|EHLO|HELO|LHLO|STARTTLS|AUTH\b)/;
/**
 * What the system calls connections that never were, and nodemailer those that closed each time before a mail was begun,
 * as a proxy in front of a dead server has it.
 */
const NOT_CONNECTED =
  /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOENT|Connection timeout|Greeting never received|retries after connection was closed/;
/** The mail is larger than the server takes: told before it is sent (RFC 1870). */
const TOO_LARGE = 552;

/** @returns what the error means for the mail and for the server */
export function deliveryOf(error: SmtpError): Delivery {
  const { code = 'unknown', command = '', responseCode } = error;
  const reason = reasonOf(error);
  if (UNAVAILABLE.has(code)) return { outcome: 'unavailable', reason };
  if (responseCode !== undefined && OPENING.test(command)) return { outcome: 'unavailable', reason };
  if (responseCode === undefined) {
    const words = error instanceof Error ? error.message : '';
    if (NOT_CONNECTED.test(words)) return { outcome: 'unavailable', reason };
    return { outcome: 'deferred', reason, isConnectionLost: true };
  }
  // Who may not send at all, now or ever, is not this mail's matter, and would make every mail of the day a failed one.
  if (command === 'MAIL FROM' && responseCode !== TOO_LARGE) return { outcome: 'unavailable', reason };
  if (responseCode < 500) return { outcome: 'deferred', reason, isConnectionLost: responseCode === 421 };
  return { outcome: 'refused', reason };
}

/** The server's words may name the recipient; its codes (RFC 5321, RFC 3463) do not. */
function reasonOf({ code = 'unknown', command = '', responseCode, response = '' }: SmtpError): string {
  const at = command === '' || command === 'CONN' ? '' : ` to ${command}`;
  if (responseCode === undefined) return `The connection to the mail server failed: ${code}`;
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1];
  return `The mail server answered ${responseCode}${enhanced ? ` ${enhanced}` : ''}${at}`;
}
