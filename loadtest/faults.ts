import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { UsageError } from '../src/testing/chaos/values.ts';
import { nameOf, readFamily } from './support/cpu-time.ts';
import type { Target } from './target.ts';

const COMMAND = join(import.meta.dirname, '../src/bin.js');

/** A fault that is injected under load. */
export interface Fault {
  readonly name: string;
  /** From the beginning of the measured time; undefined: spread over it. */
  readonly atMs: number | undefined;
}

const FAULTS: Readonly<Record<string, (target: Target) => void>> = {
  'worker-kill': (target) => kill(target, 'worker-1'),
  'writer-kill': (target) => kill(target, 'writer'),
  'litestream-kill': (target) => kill(target, 'litestream'),
  reload,
};

export const FAULT_NAMES: readonly string[] = Object.keys(FAULTS);

/**
 * @param text such as `worker-kill`, or `worker-kill@3` for three seconds after the measured time began
 * @throws UsageError
 */
export function parseFault(text: string): Fault {
  const [, name = '', seconds] = /^([a-z-]+)(?:@(\d{1,6}(?:\.\d+)?))?$/.exec(text) ?? [];
  if (!FAULT_NAMES.includes(name)) {
    throw new UsageError(`--fault: expected one of ${FAULT_NAMES.join(', ')}, as in worker-kill@3`);
  }
  return { name, atMs: seconds === undefined ? undefined : Number(seconds) * 1000 };
}

/**
 * Injects each fault at its time.
 * @param durationMs of the measured time; faults without a time of their own are spread over it
 * @returns a function that cancels the faults whose time has not come
 */
export function scheduleFaults(
  faults: readonly Fault[],
  durationMs: number,
  target: Target,
  mark: (text: string) => void,
): () => void {
  const timers = faults.map(({ name, atMs }, index) => {
    const delayMs = atMs ?? (durationMs * (index + 1)) / (faults.length + 1);
    return setTimeout(() => {
      mark(`injected: ${name}`);
      FAULTS[name]!(target);
    }, delayMs);
  });
  return () => {
    for (const timer of timers) clearTimeout(timer);
  };
}

function kill({ pid }: Target, name: string): void {
  if (pid === undefined) return;
  const victim = readFamily(pid).find((reading) => nameOf(reading.pid) === name);
  if (victim) process.kill(victim.pid, 'SIGKILL');
}

/** Runs the reload of a deploy. Its outcome is among the system's events. */
function reload({ dataDir }: Target): void {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [COMMAND, 'reload'], {
    cwd: dataDir,
    env: { PATH, HOME, DATA_DIR: dataDir },
    stdio: 'ignore',
  });
  child.once('error', () => {});
}
