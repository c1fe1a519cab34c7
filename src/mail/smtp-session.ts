import { Readable } from 'node:stream';
import type { SmtpServer } from '../config/smtp-url.ts';
import { SMTPConnection } from './nodemailer.ts';

/** What nodemailer says of a failure beside its words, which may quote an address or a password. */
export interface SmtpError {
  readonly code?: string | undefined;
  /** What the system or TLS called it. */
  readonly originalCode?: string | undefined;
  /** The SMTP command that it came of; `CONN` for the connection itself. */
  readonly command?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly response?: string | undefined;
}

/** What came of a mail: taken, or not, and whether the server had begun to read it by then. */
export type Sending = 'taken' | { readonly error: SmtpError; readonly isBegun: boolean };

export interface SessionOptions {
  readonly server: SmtpServer;
  /** How long the server may take to be connected to, and to greet. Within a mail it may be silent for twice as long. */
  readonly timeoutMs: number;
}

/**
 * One connection to a mail server. States: opening (`open`) → open (it has greeted us, TLS and the login are done) →
 * closed (by `close`, by an error, or by the server).
 */
export class SmtpSession {
  readonly #connection: SMTPConnection;
  #isClosed = false;
  #sentCount = 0;

  private constructor(connection: SMTPConnection) {
    this.#connection = connection;
    connection.once('end', () => {
      this.#isClosed = true;
    });
  }

  /** Connects, and logs in where there are credentials. @throws SmtpError when any of that fails: no mail is concerned */
  static async open({ server, timeoutMs }: SessionOptions): Promise<SmtpSession> {
    const { certificateName, verifiesCertificate, ownName, credentials } = server;
    const connection = new SMTPConnection({
      host: server.host,
      port: server.port,
      secure: server.isSecure,
      requireTLS: server.requiresTls,
      ignoreTLS: server.ignoresTls,
      tls: {
        rejectUnauthorized: verifiesCertificate,
        ...(certificateName !== undefined && { servername: certificateName }),
      },
      ...(ownName !== undefined && { name: ownName }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      // Longer, so that a server which never speaks is told from one that stops in the middle of a mail.
      socketTimeout: 2 * timeoutMs,
      dnsTimeout: timeoutMs,
    });
    const session = new SmtpSession(connection);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Listened to until the end: later ones come of `send` as well, or concern an idle connection.
    connection.on('error', reject);
    connection.once('end', () => reject(new ClosedError()));
    connection.connect((error) => {
      if (error) reject(error);
      else if (credentials === undefined) resolve();
      else connection.login({ ...credentials }, (refusal) => (refusal ? reject(refusal) : resolve()));
    });
    try {
      await promise;
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How many mails it was given. */
  get sentCount(): number {
    return this.#sentCount;
  }

  /** Hands one mail over; never two at a time. Never throws. */
  async send(from: string, to: string, content: Buffer): Promise<Sending> {
    this.#sentCount += 1;
    const message = Readable.from([content]);
    const { promise, resolve } = Promise.withResolvers<SmtpError | null>();
    this.#connection.send({ from, to, size: content.length }, message, resolve);
    const error = await promise;
    return error === null ? 'taken' : { error, isBegun: message.readableDidRead };
  }

  /** Forgets a mail that was refused, so that another can be sent. @returns whether it can */
  async reset(): Promise<boolean> {
    if (this.#isClosed) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#connection.once('end', () => resolve(false));
    this.#connection.reset((error) => resolve(!error));
    return promise;
  }

  /** Says goodbye. */
  quit(): void {
    if (!this.#isClosed) this.#connection.quit();
  }

  close(): void {
    this.#connection.close();
  }
}

class ClosedError extends Error implements SmtpError {
  readonly code = 'ECONNECTION';
}
