import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { Test } from 'tap';

/** A mail that the server has answered for with 250, or for which its answer was lost. */
export interface Received {
  readonly to: string;
  readonly messageId: string;
  readonly bytes: Buffer;
  readonly parsed: () => Promise<ParsedMail>;
}

export interface SmtpTrap {
  readonly url: string;
  readonly port: number;
  readonly received: readonly Received[];
  /** How many connections there are and were. */
  readonly connections: () => { readonly open: number; readonly most: number; readonly total: number };
  /** How often a mail was begun. */
  readonly begun: () => number;
  /** Cuts every connection. */
  readonly cut: () => void;
  readonly close: () => Promise<void>;
}

/** What is said of the certificate that the server brings along: signed by itself, and for some time now expired. */
export const UNTRUSTED =
  /^The certificate of the mail server is not trusted: (?:DEPTH_ZERO_SELF_SIGNED_CERT|CERT_HAS_EXPIRED)$/;

/** @returns what a server answers instead of success */
export function answer(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

export interface TrapOptions extends SMTPServerOptions {
  /** Asked with the mail when it has come whole; what it returns is the answer. */
  readonly onMail?: (mail: Received, socket: Socket) => Promise<Error | undefined> | Error | undefined;
  readonly port?: number;
}

/** A real SMTP server that keeps what it gets. */
export async function startSmtp(
  t: Test,
  { onMail, port = 0, ...options }: TrapOptions = {},
): Promise<SmtpTrap> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let most = 0;
  let total = 0;
  let begun = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    async onData(stream, session, callback) {
      begun += 1;
      const bytes = Buffer.concat(await stream.toArray().catch(() => []));
      const messageId = /^Message-ID: <(.*)>/im.exec(bytes.toString('latin1'))?.[1] ?? '';
      const to = session.envelope.rcptTo[0]?.address ?? '';
      const mail = { to, messageId, bytes, parsed: () => simpleParser(bytes) };
      const refusal = await onMail?.(
        mail,
        [...sockets].find((socket) => socket.remotePort === session.remotePort)!,
      );
      if (refusal) callback(refusal);
      else {
        received.push(mail);
        callback();
      }
    },
    ...options,
  });
  server.on('error', () => {});
  server.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    total += 1;
    most = Math.max(most, sockets.size);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const close = async () => {
    const closed = new Promise<void>((resolve) => server.close(resolve));
    cut();
    await closed;
  };
  t.teardown(close);
  const { port: listeningPort } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${listeningPort}`,
    port: listeningPort,
    received,
    connections: () => ({ open: sockets.size, most, total }),
    begun: () => begun,
    cut,
    close,
  };
}
