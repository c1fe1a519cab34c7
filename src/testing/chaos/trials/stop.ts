import { connect } from 'node:net';
import { processesOf } from '../../running-system.ts';
import type { Stage } from '../stage.ts';
import { atMost, type Trial } from '../trial.ts';

const DRAIN_TIMEOUT_MS = 5000;
/** After the drain, Litestream ships the last commits, and the remaining processes end. */
const AFTER_DRAIN_MS = 1000;
const KEPT = 200;
const HALF_REQUESTS = 20;

export const stop: Trial = {
  name: 'stop',
  fault: `SIGTERM with ${KEPT} keep-alive and ${HALF_REQUESTS} half-request clients`,
  size: { unit: 'times', full: 5, short: 1 },
  victims: undefined,
  limits: [
    atMost(DRAIN_TIMEOUT_MS + AFTER_DRAIN_MS, 'ms', 'until the exit'),
    atMost(0, 'requests', 'cut though under way'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', '5xx'),
    atMost(0, 'exits', 'exits with an error'),
    atMost(0, 'processes', 'left behind'),
  ],
  async run(stage, times) {
    const exitMs: number[] = [];
    const figures = { badExits: 0, leftBehind: 0 };
    for (let turn = 0; turn < times; turn += 1) {
      stage.progress(`${turn} of ${times}`);
      await stage.start({ DRAIN_TIMEOUT_MS: String(DRAIN_TIMEOUT_MS) });
      // Each client sends often enough to learn from an answer (`Connection: close`) that its connection will end.
      const load = await stage.startLoad({ kept: KEPT, fresh: 4, requestsPerSecond: 800 });
      const endHalfRequests = halfRequests(stage);
      await stage.sleep(1000);
      const { code, tookMs } = await stage.stopSystem();
      exitMs.push(tookMs);
      if (code !== 0) figures.badExits += 1;
      figures.leftBehind += processesOf(stage.dataDir).length;
      await load.stop();
      endHalfRequests();
    }
    const records = await stage.stopLoad();
    return {
      injected: times,
      recoveryMs: exitMs,
      figures: {
        'until the exit': Math.max(...exitMs),
        'cut though under way': records.filter(({ failure }) => failure === 'reset' || failure === 'other')
          .length,
        'exits with an error': figures.badExits,
        'left behind': figures.leftBehind,
      },
      notes: [
        `DRAIN_TIMEOUT_MS=${DRAIN_TIMEOUT_MS}, which the half requests use up; recovery is SIGTERM to exit; refused are new connections after it`,
      ],
    };
  },
};

/** Starts clients that begin a request and never end it. @returns a function that ends them */
function halfRequests(stage: Stage): () => void {
  const { hostname, port } = new URL(stage.system.url);
  const sockets = Array.from({ length: HALF_REQUESTS }, (_, index) => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    const head = `POST ${stage.writePath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n`;
    socket.write(index % 2 === 0 ? head : `${head}\r\n{"half":`);
    return socket;
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
