import type { RunningSystem } from '../../src/testing/running-system.ts';

const TIMEOUT_MS = 10_000;

/** @returns settings for `collectGarbage`. Port 0 does not work: the cluster module counts up from it; 1 is refused */
export function debuggerEnv(port: number): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--inspect-port=${port}` };
}

/**
 * Has the primary collect its garbage: the memory that is left is in use. SIGUSR1 opens the debugger of any Node.js
 * process; the cluster module passes the signal on to the workers, which then listen, too.
 */
export async function collectGarbage(
  system: RunningSystem,
  port: number,
  until: (condition: () => boolean, what: string) => Promise<void>,
): Promise<void> {
  process.kill(system.pid, 'SIGUSR1');
  const listening = new RegExp(`ws://127\\.0\\.0\\.1:${port}/\\S+`);
  await until(() => listening.test(system.stderr), 'the debugger listens');
  const socket = new WebSocket(listening.exec(system.stderr)![0]);
  try {
    await eventOf(socket, 'open');
    socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
    await eventOf(socket, 'message');
  } finally {
    socket.close();
  }
}

function eventOf(socket: WebSocket, name: 'open' | 'message'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(name, () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error('the debugger does not answer')), { once: true });
    setTimeout(() => reject(new Error(`no ${name} from the debugger`)), TIMEOUT_MS).unref();
  });
}
