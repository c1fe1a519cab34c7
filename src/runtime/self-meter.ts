import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meter } from '../metrics/meter.ts';

const RESOLUTION_MS = 20;
const NS_PER_S = 1e9;
const US_PER_S = 1e6;

/** Has a meter count for this process: processor time, and how late its event loop runs timers. */
export function meterSelf(meter: Meter): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  meter.gauge('event_loop_lag_seconds', {}, () => {
    // The delay is measured from tick to tick, and includes the resolution.
    const longestS = delay.count === 0 ? 0 : delay.max / NS_PER_S - RESOLUTION_MS / 1000;
    delay.reset();
    return Math.max(0, longestS);
  });
  meter.counter('process_cpu_seconds_total', {}, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / US_PER_S;
  });
}
