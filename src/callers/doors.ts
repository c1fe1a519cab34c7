import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { OpsDoor } from '../messages/messages.ts';

const DOOR = Symbol('door');

/** Notes by which of the operator's sockets a connection came. */
export function noteDoor(socket: Socket & { [DOOR]?: OpsDoor }, door: OpsDoor): void {
  socket[DOOR] = door;
}

/** @returns by which of the operator's sockets a request came; undefined for the public port */
export function doorOf(req: IncomingMessage): OpsDoor | undefined {
  return (req.socket as Socket & { [DOOR]?: OpsDoor })[DOOR];
}
