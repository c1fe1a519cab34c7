import { connect, type Socket } from 'node:net';
import { Random } from '../../../src/testing/chaos/random.ts';
import { behaviours } from './behaviours.ts';
import type { AttackCounts, AttackOrder } from './messages.ts';

const COUNTS_INTERVAL_MS = 100;
/** Pause before a connection that ended is made again: the attack goes on, at a bounded rate. */
const AGAIN_MS = 50;
/** How many connections are made at once, and the pause after them. */
const RAMP = 100;
const RAMP_INTERVAL_MS = 50;

/** The attacker's entry: keeps up the number of connections of the behaviour, and has each act by it. */
process.once('message', (order: AttackOrder) => run(order));
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {});

async function run({ name, url, seed }: AttackOrder): Promise<void> {
  const { hostname, port } = new URL(url);
  const random = new Random(seed, name);
  const behaviour = behaviours[name];
  const counts = { connections: 0, open: 0, openMax: 0, refused: 0, answered: 0 };
  setInterval(() => process.send?.(counts satisfies AttackCounts, () => {}), COUNTS_INTERVAL_MS);

  const open = () => {
    const socket: Socket = connect(Number(port), hostname);
    let isOpen = false;
    socket.once('connect', () => {
      isOpen = true;
      counts.connections += 1;
      counts.open += 1;
      counts.openMax = Math.max(counts.openMax, counts.open);
      behaviour.begin(socket, random);
    });
    socket.once('data', () => {
      counts.answered += 1;
    });
    socket.on('data', () => {});
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') counts.refused += 1;
    });
    socket.once('close', () => {
      if (isOpen) counts.open -= 1;
      setTimeout(open, AGAIN_MS);
    });
  };
  for (let made = 0; made < behaviour.connections; made += 1) {
    open();
    if (made % RAMP === RAMP - 1) await new Promise((resolve) => setTimeout(resolve, RAMP_INTERVAL_MS));
  }
}
