import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** A mail that arrived whole; the sender may not have got the answer. */
export interface SunkMail {
  readonly to: string;
  readonly messageId: string;
  /** When its sender connected; milliseconds since the epoch. A sender that is dead by then sends nothing more. */
  readonly connectedMs: number;
}

export interface MailSinkOptions {
  /** The delay before it acknowledges a mail. */
  readonly answerAfterMs: () => number;
  readonly onMail?: (mail: SunkMail) => void;
}

export interface MailSink {
  readonly url: string;
  close(): Promise<void>;
}

/** A real SMTP server on loopback that takes every mail and keeps none. */
export async function startMailSink({ answerAfterMs, onMail }: MailSinkOptions): Promise<MailSink> {
  const connectedMs = new Map<string, number>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    onConnect(session, callback) {
      connectedMs.set(session.id, Date.now());
      callback();
    },
    onClose: ({ id }) => void connectedMs.delete(id),
    async onData(stream, session, callback) {
      const sinceMs = connectedMs.get(session.id) ?? Number.NaN;
      let head = '';
      try {
        for await (const chunk of stream) if (head.length < 8192) head += chunk.toString('latin1');
      } catch {
        // The connection broke within the mail: it has not arrived.
        return;
      }
      const messageId = /^Message-ID: <(.*)>/im.exec(head)?.[1] ?? '';
      onMail?.({ to: session.envelope.rcptTo[0]?.address ?? '', messageId, connectedMs: sinceMs });
      setTimeout(callback, answerAfterMs());
    },
  });
  // A client that is killed breaks its connection.
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
