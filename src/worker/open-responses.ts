import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The responses of each connection that are not finished: a client that pipelines can have several. */
export class OpenResponses {
  readonly #ofSocket = new WeakMap<Socket, ServerResponse[]>();

  /** Notes the response to a request; to be called before it is answered. */
  note({ socket }: IncomingMessage, response: ServerResponse): void {
    const open = this.#ofSocket.get(socket);
    if (open === undefined) this.#ofSocket.set(socket, [response]);
    else {
      // They are finished in their order.
      if (open.at(-1)?.writableFinished) open.length = 0;
      open.push(response);
    }
  }

  /** Whether the response that a connection sends now has begun, so that nothing else may be written into it. */
  hasBegun(socket: Socket): boolean {
    const open = this.#ofSocket.get(socket) ?? [];
    return open.find(({ writableFinished }) => !writableFinished)?.headersSent === true;
  }
}
