import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../../src/testing/wait.ts';
import { freePort } from './free-port.ts';

/** The project's configuration. */
export const CONFIG = new URL('../../config/haproxy.cfg', import.meta.url);

/**
 * Starts HAProxy with the project's configuration, only its addresses changed, and waits until it serves.
 * @param folder gets the changed configuration
 * @param toServers replaces the servers in the configuration
 * @param log gets HAProxy's log lines
 * @param onProcess gets the process at once, for the caller to end it
 * @returns its port
 */
export async function runHaproxy(
  folder: string,
  toServers: (config: string) => string,
  log: string[],
  onProcess: (child: ChildProcess) => void,
): Promise<number> {
  const port = await freePort();
  const path = join(folder, 'haproxy.cfg');
  const config = readFileSync(CONFIG, 'utf8')
    .replace('log /dev/log local0', 'log stdout format raw local0')
    .replace('bind 127.0.0.1:8000', `bind 127.0.0.1:${port}`);
  writeFileSync(path, toServers(config));
  const child = spawn('haproxy', ['-db', '-f', path], { stdio: ['ignore', 'pipe', 'ignore'] });
  onProcess(child);
  createInterface({ input: child.stdout }).on('line', (line) => log.push(line));
  const ready = async () => (await fetch(`http://127.0.0.1:${port}/ready`).catch(() => undefined))?.status;
  await until(async () => (await ready()) === 200, 'it serves');
  return port;
}

/** @returns a change of the configuration: to the two servers that a comment in it names */
export function twoServers(ports: readonly [string, string]): (config: string) => string {
  return (config) =>
    config
      .replace(/^ *server vm1 127\.0\.0\.1:8080.*\n/m, '')
      .replace('# server vm1 10.0.0.1:8080', `server vm1 127.0.0.1:${ports[0]}`)
      .replace('# server vm2 10.0.0.2:8080', `server vm2 127.0.0.1:${ports[1]}`)
      .replace('# retry-on', 'retry-on');
}
