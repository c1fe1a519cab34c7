import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../../loadtest/support/free-port.ts';
import { command } from '../cli/command.ts';
import { boot } from '../support/boot.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';

/** The units as they would be installed, with what this machine cannot give them left out. */
export async function installed(t: Test) {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  const settings = join(folder, 'settings');
  const log = join(folder, 'log');
  mkdirSync(dataDir);
  const port = await freePort();
  const env = { DATA_DIR: dataDir, PORT: String(port) };
  t.equal((await command(['install-service', '--user', 'root', '--dir', folder], env)).code, 0);
  const unit = (name: string) => readFileSync(join(folder, name), 'utf8');
  // What stands below /tmp is hidden otherwise, and namespaces in namespaces cannot make devices.
  const here = `[Service]\nPrivateDevices=no\nPrivateTmp=no\nProtectSystem=no\nProtectHome=no\nEnvironmentFile=${settings}\nStandardOutput=append:${log}\nStandardError=append:${log}\n`;
  t.teardown(() => until(() => processesOf(dataDir).length === 0, 'every process is gone'));
  const units = {
    'ninelives.socket': unit('ninelives.socket'),
    'ninelives.service': unit('ninelives.service'),
    'ninelives.service.d/here.conf': here,
  };
  const start = (all: Readonly<Record<string, string>>, wanted: readonly string[]) =>
    boot(t, folder, all, wanted);
  return { folder, dataDir, port, settings, log, units, start };
}

/** Asks until there is an answer: only before the socket is there it is refused. */
export async function answerOf<Answer>(ask: () => Promise<Answer>, isOver: () => boolean) {
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined || isOver()) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
