import { Readable } from 'node:stream';
import type { SmtpServer } from '../config/smtp-url.ts';
import { SMTPConnection } from './nodemailer.ts';

/** The parts of a nodemailer error without its message, which may quote an address or a password. */
export interface SmtpError {
  readonly code?: string | undefined;
  /** The error code of the system or of TLS. */
  readonly originalCode?: string | undefined;
  /** The SMTP command that failed; `CONN` for the connection itself. */
  readonly command?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly response?: string | undefined;
}

/** The result of sending a mail: accepted, or the error and whether the transfer of the content had begun. */
export type Sending = 'taken' | { readonly error: SmtpError; readonly isBegun: boolean };

export interface SessionOptions {
  readonly server: SmtpServer;
  /** Timeout for the connection, and for the greeting. Within a mail the server may be silent for twice this long. */
  readonly timeoutMs: number;
}

/**
 * One connection to a mail server. States: opening (`open`) → open (greeting, TLS and login are done) → closed (by
 * `close`, by `quit`, by an error, or by the server).
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

  /** Connects, and logs in if there are credentials. @throws SmtpError when that fails; no mail was sent */
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
      // Longer, to tell a server that never answers from one that stops in the middle of a mail.
      socketTimeout: 2 * timeoutMs,
      dnsTimeout: timeoutMs,
    });
    const session = new SmtpSession(connection);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Never removed: later errors are also reported by `send`, or concern an idle connection.
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

  /** How many mails this session was given. */
  get sentCount(): number {
    return this.#sentCount;
  }

  /** Sends one mail; to be called for one mail at a time. Never throws. */
  async send(from: string, to: string, content: Buffer): Promise<Sending> {
    this.#sentCount += 1;
    const message = Readable.from([content]);
    const { promise, resolve } = Promise.withResolvers<SmtpError | null>();
    this.#connection.send({ from, to, size: content.length }, message, resolve);
    const error = await promise;
    return error === null ? 'taken' : { error, isBegun: message.readableDidRead };
  }

  /** Sends RSET after a refused mail, so that another mail can be sent. @returns whether it can */
  async reset(): Promise<boolean> {
    if (this.#isClosed) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#connection.once('end', () => resolve(false));
    this.#connection.reset((error) => resolve(!error));
    return promise;
  }

  /** Ends the session with QUIT. */
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
