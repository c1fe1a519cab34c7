import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meter } from '../metrics/meter.ts';

const RESOLUTION_MS = 20;
const NS_PER_S = 1e9;
const US_PER_S = 1e6;

/** Has a meter count what every process has: processor time, and how long its event loop keeps timers waiting. */
export function meterSelf(meter: Meter): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  meter.gauge('event_loop_lag_seconds', {}, () => {
    // It measures from tick to tick, the wait that was asked for included.
    const longestS = delay.count === 0 ? 0 : delay.max / NS_PER_S - RESOLUTION_MS / 1000;
    delay.reset();
    return Math.max(0, longestS);
  });
  meter.counter('process_cpu_seconds_total', {}, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / US_PER_S;
  });
}
