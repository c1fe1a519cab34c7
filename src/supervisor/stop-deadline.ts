import type { Config } from '../config/config.ts';
import { Failure } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Child } from './child.ts';
import type { Clock } from './clock.ts';

/** Time for the writer to decide its writes, and for what each step takes beside its own deadline. */
const STOP_MARGIN_MS = 10_000;

/** @returns the longest time that a stop takes, whatever hangs, in milliseconds */
export function stopTimeoutMsOf({
  DRAIN_TIMEOUT_MS,
  REPLICA_STOP_TIMEOUT_MS,
}: Pick<Config, 'DRAIN_TIMEOUT_MS' | 'REPLICA_STOP_TIMEOUT_MS'>): number {
  return DRAIN_TIMEOUT_MS + REPLICA_STOP_TIMEOUT_MS + STOP_MARGIN_MS;
}

export interface StopDeadlineOptions {
  readonly timeoutMs: number;
  /** Every child that has not ended. */
  readonly living: () => readonly Child[];
  readonly log: Logger;
  readonly clock: Clock;
}

/**
 * Waits for a stop until its deadline; processes that are left then are killed.
 * @throws Failure stop_incomplete with the processes that were left, or what `stop` throws
 */
export async function stopInTime(
  stop: Promise<void>,
  { timeoutMs, living, log, clock }: StopDeadlineOptions,
): Promise<void> {
  const passed = Promise.withResolvers<never>();
  const timer = clock.after(timeoutMs, () => {
    const left = living();
    const names = left.map(({ name, pid, state }) => `${name} ${pid} (${state})`).join(', ') || 'no process';
    const message = `the stop has not ended within ${timeoutMs} ms; left and killed: ${names}`;
    log.fatal({ code: 'stop_incomplete' }, message);
    for (const child of left) child.kill('the deadline of the stop has passed');
    passed.reject(new Failure('stop_incomplete', message));
  });
  try {
    await Promise.race([stop, passed.promise]);
  } finally {
    timer.cancel();
  }
}
