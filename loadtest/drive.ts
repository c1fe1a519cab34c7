import { fork } from 'node:child_process';
import type { CpuUse, Load, Measurement } from './measurement.ts';
import { cpuTimeMs, machineCpuTimeMs } from './support/cpu-time.ts';

/** What the load generator may need beside the load itself. */
const GRACE_MS = 30_000;
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/;

/** What the load generator's process is told. */
export interface DriveOrder {
  readonly scenario: string;
  /** Base of the API. */
  readonly url: string;
  readonly load: Load;
}

/** What it tells. */
export type DriveReport =
  /** The warm-up is over. */
  | { readonly kind: 'measuring' }
  /** The requests of the last second. */
  | { readonly kind: 'second'; readonly requests: number }
  /** The measuring is over; the result follows when the last requests have ended. */
  | { readonly kind: 'measured' }
  | { readonly kind: 'result'; readonly measurement: Measurement };

export interface DriveOptions extends DriveOrder {
  /** The server's first process; its processor time and its descendants' is counted. */
  readonly serverPid: number;
  readonly signal: AbortSignal;
  readonly onSecond?: (requests: number) => void;
}

/**
 * Puts load on a server of this machine, from a process of its own, so that nothing else of the load test shares
 * its event loop.
 *
 * @throws Error when the URL is not on the loopback interface, when the load generator fails, when no request was
 *   answered, or the signal's reason
 */
export async function drive({ serverPid, signal, onSecond, ...order }: DriveOptions): Promise<Measurement> {
  if (!LOOPBACK.test(new URL(order.url).hostname)) throw new Error(`${order.url} is not on this machine`);
  signal.throwIfAborted();
  // A process group of its own: Ctrl-C must not end it before this process has heard of it.
  const generator = fork(new URL('./drive-process.ts', import.meta.url), { detached: true, execArgv: [] });
  const { promise, resolve, reject } = Promise.withResolvers<Measurement>();
  const timeoutMs = order.load.warmupMs + order.load.durationMs + GRACE_MS;
  const timer = setTimeout(() => reject(new Error(`no result after ${timeoutMs} ms`)), timeoutMs);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  generator.once('error', reject);
  generator.once('exit', (code, killer) => {
    reject(new Error(`the load generator ended without a result: ${killer ?? `code ${code}`}`));
  });

  let before = readCpu(serverPid);
  let after = before;
  generator.on('message', (report: DriveReport) => {
    if (report.kind === 'second') onSecond?.(report.requests);
    else if (report.kind === 'measuring') before = readCpu(serverPid);
    else if (report.kind === 'measured') after = readCpu(serverPid);
    else resolve({ ...report.measurement, cpu: cpuUse(report.measurement.cpu.clientMs, before, after) });
  });
  generator.send(order);
  try {
    const measurement = await promise;
    // Requests that wait for an answer are no failures yet: without this a server that hangs would pass.
    if (measurement.requests === 0) throw new Error(`${order.scenario}: not one request was answered`);
    return measurement;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    generator.kill('SIGKILL');
  }
}

interface CpuReading {
  readonly serverMs: number | undefined;
  readonly machineMs: number;
}

function readCpu(serverPid: number): CpuReading {
  return { serverMs: cpuTimeMs(serverPid), machineMs: machineCpuTimeMs() };
}

function cpuUse(clientMs: number, before: CpuReading, after: CpuReading): CpuUse {
  if (before.serverMs === undefined || after.serverMs === undefined) {
    return { clientMs, serverMs: undefined, otherMs: undefined };
  }
  const serverMs = after.serverMs - before.serverMs;
  const otherMs = Math.max(0, after.machineMs - before.machineMs - serverMs - clientMs);
  return { clientMs, serverMs, otherMs };
}
