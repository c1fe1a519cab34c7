import type { Test } from 'tap';
import type { RunningSystem } from '../../src/testing/running-system.ts';
import { command } from '../cli/command.ts';
import { noteOf, request } from '../support/http.ts';
import { until } from '../support/system.ts';

/** Their back-off is short, so that they are back soon after what they lacked. */
export const SETTINGS = { RESTART_BACKOFF_MAX_MS: '200', BREAKER_RETRY_MS: '200', OVERLOAD_LAG_MS: '0' };

export async function statusOf({ dataDir }: RunningSystem) {
  return JSON.parse((await command(['status', '--json'], { DATA_DIR: dataDir })).stdout);
}

export async function serves(t: Test, system: RunningSystem): Promise<void> {
  await until(async () => {
    const { ready, degraded } = (await statusOf(system)).status;
    return ready && degraded.length === 0;
  }, 'nothing is wrong any more');
  t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('a') })).status, 201);
}
