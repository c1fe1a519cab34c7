import type { Test } from 'tap';
import { runHaproxy } from '../../loadtest/support/haproxy.ts';

export { CONFIG, twoServers } from '../../loadtest/support/haproxy.ts';

/** Starts HAProxy as `runHaproxy` does. It ends with the test. @returns its port */
export async function startHaproxy(
  t: Test,
  folder: string,
  toServers: (config: string) => string,
  log: string[] = [],
): Promise<number> {
  return runHaproxy(folder, toServers, log, (child) => t.teardown(() => child.kill('SIGKILL')));
}

/** @returns what makes one server of the configuration's */
export function oneServer(port: number): (config: string) => string {
  return (config) => config.replace('server vm1 127.0.0.1:8080', `server vm1 127.0.0.1:${port}`);
}
