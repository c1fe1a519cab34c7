import { fork } from 'node:child_process';
import type { CpuUse, Load, Mark, Measurement } from './measurement.ts';
import { ProcessSampler } from './process-sampler.ts';
import { cpuTimeMs, machineCpuTimeMs } from './support/cpu-time.ts';
import type { Target } from './target.ts';

/** How long the load generator may take beside the load itself. */
const GRACE_MS = 30_000;
const SAMPLES_MAX = 600;
const SAMPLE_INTERVAL_MIN_MS = 500;
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/;

/** The message to the load generator's process. */
export interface DriveOrder {
  readonly scenario: string;
  /** Base of the API. */
  readonly url: string;
  readonly load: Load;
  readonly seededAlerts: number;
  /** The paths of the list's pages, if the scenario wants them. */
  readonly pages: readonly string[];
  /** The headers that the server needs, such as a key. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Messages from the load generator's process. */
export type DriveReport =
  /** The warm-up is over. */
  | { readonly kind: 'measuring' }
  /** The number of answers in the last second. */
  | { readonly kind: 'second'; readonly requests: number }
  /** The measured time is over; the result follows when the last requests have ended. */
  | { readonly kind: 'measured' }
  | { readonly kind: 'result'; readonly measurement: Measurement };

export interface DriveOptions extends DriveOrder {
  readonly target: Target;
  readonly signal: AbortSignal;
  readonly onSecond?: (requests: number) => void;
  /** Called when the measured time begins; an error that it throws ends the drive. */
  readonly onMeasuring?: (mark: (text: string) => void) => void;
}

/** @returns whether a URL leads to this machine and nowhere else */
export function isLoopback(url: string): boolean {
  return LOOPBACK.test(new URL(url).hostname);
}

/**
 * Puts load on a server from a process of its own, so the rest of the load test does not share its event loop.
 *
 * @throws Error when the load generator fails, when no request was answered, or the signal's reason
 */
export async function drive({
  target,
  signal,
  onSecond,
  onMeasuring,
  ...order
}: DriveOptions): Promise<Measurement> {
  signal.throwIfAborted();
  // A process group of its own: Ctrl-C must reach this process first, which then ends it.
  const generator = fork(new URL('./generator/main.ts', import.meta.url), { detached: true, execArgv: [] });
  const { promise, resolve, reject } = Promise.withResolvers<Measurement>();
  const timeoutMs = order.load.warmupMs + order.load.durationMs + GRACE_MS;
  const timer = setTimeout(() => reject(new Error(`no result after ${timeoutMs} ms`)), timeoutMs);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  generator.once('error', reject);
  generator.once('exit', (code, killer) => {
    reject(new Error(`the load generator ended without a result: ${killer ?? `code ${code}`}`));
  });

  const marks: Mark[] = [];
  const sampler = new ProcessSampler(
    target.pid,
    generator.pid,
    Math.max(SAMPLE_INTERVAL_MIN_MS, order.load.durationMs / SAMPLES_MAX),
  );
  let beginMs = Date.now();
  let before = readCpu(target);
  let after = before;
  generator.on('message', (report: DriveReport) => {
    if (report.kind === 'second') onSecond?.(report.requests);
    else if (report.kind === 'measuring') {
      before = readCpu(target);
      beginMs = Date.now();
      sampler.start();
      const mark = (text: string) => marks.push({ atMs: Date.now() - beginMs, text });
      try {
        onMeasuring?.(mark);
      } catch (error) {
        reject(error);
      }
    } else if (report.kind === 'measured') {
      after = readCpu(target);
      sampler.stop();
    } else resolve(report.measurement);
  });
  generator.send(order);
  try {
    const measurement = await promise;
    // Requests that still wait for an answer are no failures: without this check a server that hangs would pass.
    if (measurement.requests === 0) throw new Error(`${order.scenario}: not one request was answered`);
    const events = target.events?.(beginMs, beginMs + measurement.durationMs) ?? [];
    return {
      ...measurement,
      cpu: cpuUse(measurement.cpu.clientMs, before, after),
      processes: sampler.samples,
      marks: [...marks, ...events].sort((a, b) => a.atMs - b.atMs),
    };
  } finally {
    clearTimeout(timer);
    sampler.stop();
    signal.removeEventListener('abort', onAbort);
    generator.kill('SIGKILL');
  }
}

interface CpuReading {
  readonly serverMs: number | undefined;
  readonly machineMs: number;
}

function readCpu({ pid }: Target): CpuReading {
  return { serverMs: pid === undefined ? undefined : cpuTimeMs(pid), machineMs: machineCpuTimeMs() };
}

function cpuUse(clientMs: number, before: CpuReading, after: CpuReading): CpuUse {
  if (before.serverMs === undefined || after.serverMs === undefined) {
    return { clientMs, serverMs: undefined, otherMs: undefined };
  }
  const serverMs = Math.max(0, after.serverMs - before.serverMs);
  const otherMs = Math.max(0, after.machineMs - before.machineMs - serverMs - clientMs);
  return { clientMs, serverMs, otherMs };
}
