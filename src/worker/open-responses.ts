import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Kept with the connection: a map of short connections would cost each of them more. */
const RESPONSES = Symbol('responses');

type Served = Socket & { [RESPONSES]?: ServerResponse[] };

/**
 * Notes the response to a request with its connection, before it is answered. A client that pipelines can have several
 * that are not finished; they are finished in their order.
 */
export function noteResponse({ socket }: IncomingMessage, response: ServerResponse): void {
  const open = (socket as Served)[RESPONSES];
  if (open === undefined) (socket as Served)[RESPONSES] = [response];
  else {
    if (open.at(-1)?.writableFinished) open.length = 0;
    open.push(response);
  }
}

/** @returns whether the response that a connection sends now has begun, so that nothing else may be written into it */
export function hasBegun(socket: Socket): boolean {
  const open = (socket as Served)[RESPONSES] ?? [];
  return open.find(({ writableFinished }) => !writableFinished)?.headersSent === true;
}
