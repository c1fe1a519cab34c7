import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One request that has arrived. */
export interface Trapped {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** A message of the format json. */
export interface TrappedMessage {
  readonly status: string;
  readonly condition: string;
  readonly host: string;
  readonly cause: string;
  readonly since: string;
  readonly command: string;
}

export interface MessageTrap {
  readonly url: string;
  readonly requests: readonly Trapped[];
  /** The requests to /messages, in the format json. */
  messages(): readonly TrappedMessage[];
  /** When the requests to /heartbeat arrived. */
  beatsAtMs(): readonly number[];
  close(): Promise<void>;
}

/** Starts a real server that records its requests. @param answer how it answers; 200 by default */
export async function startMessageTrap(
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void = (_incoming, outgoing) =>
    void outgoing.end(),
): Promise<MessageTrap> {
  const requests: Trapped[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    requests.push({ method, path: url, headers, body: await text(incoming), atMs: Date.now() });
    answer(incoming, outgoing);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    messages: () =>
      requests
        .filter(({ path }) => path.startsWith('/messages'))
        .map(({ body }) => JSON.parse(body) as TrappedMessage),
    beatsAtMs: () => requests.filter(({ path }) => path.startsWith('/heartbeat')).map(({ atMs }) => atMs),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
