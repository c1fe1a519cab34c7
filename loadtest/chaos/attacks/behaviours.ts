import type { Socket } from 'node:net';
import type { Random } from '../../../src/testing/chaos/random.ts';
import type { AttackName } from './messages.ts';

/** What each connection of an attack does. */
export interface Behaviour {
  readonly connections: number;
  readonly begin: (socket: Socket, random: Random) => void;
}

const SLOW_BYTE_INTERVAL_MS = 1000;
const HUGE_HEADER_BYTES = 10 * 1024 * 1024;
const PIPELINED_REQUESTS = 200;
const GARBAGE_BYTES = 4096;
const HEAD = 'GET /health HTTP/1.1\r\nHost: localhost\r\n';

export const behaviours: Readonly<Record<AttackName, Behaviour>> = {
  /** Sends a header a byte at a time, without an end. */
  slowloris: {
    connections: 500,
    begin(socket, random) {
      socket.write(HEAD);
      const timer = setInterval(
        () => socket.write(random.next() < 0.1 ? '\r\nx: ' : 'x'),
        SLOW_BYTE_INTERVAL_MS,
      );
      socket.once('close', () => clearInterval(timer));
    },
  },
  /** Sends a header of 10 MB, whatever the server says. */
  'huge-header': {
    connections: 20,
    begin(socket) {
      socket.write(`${HEAD}x-huge: `);
      socket.write(Buffer.alloc(HUGE_HEADER_BYTES, 'x'));
      socket.end('\r\n\r\n');
    },
  },
  /** Connects and sends nothing. */
  'idle-connections': { connections: 10_000, begin() {} },
  /** Sends many requests at once, and then noise. */
  garbage: {
    connections: 20,
    begin(socket, random) {
      socket.write(`${HEAD}\r\n`.repeat(PIPELINED_REQUESTS));
      socket.end(random.bytes(GARBAGE_BYTES));
    },
  },
};
