import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { processesOf, temporaryFolder, until } from '../support/system.ts';
import { openTerminal, type Terminal } from '../support/terminal.ts';

export const BIN = new URL('../../src/bin.js', import.meta.url).pathname;
export const READY = /ready: (http\S+) \| primary (\d+)/;

export interface InTerminal {
  readonly dataDir: string;
  readonly terminal: Terminal;
  /** Its log. */
  readonly said: () => string;
  readonly url: string;
  readonly pid: number;
  readonly isAlive: () => boolean;
}

export function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** Starts a real system in a terminal, as a person does. */
export async function startInTerminal(
  t: Test,
  command = [process.execPath, BIN, 'start', ...APP_ARGUMENTS],
): Promise<InTerminal> {
  const dataDir = temporaryFolder(t);
  const { PATH, HOME } = process.env;
  const env = {
    PATH,
    HOME,
    TERM: 'xterm',
    PORT: '0',
    WORKERS: '2',
    DATA_DIR: dataDir,
    OVERLOAD_LAG_MS: '0',
    LOG_FORMAT: 'text',
  };
  const terminal = openTerminal(t, command, { cwd: dataDir, env });
  const said = command[0] === 'nohup' ? () => readIfThere(join(dataDir, 'nohup.out')) : terminal.shown;
  await until(() => READY.test(said()), 'it is ready');
  const [, url = '', pid] = READY.exec(said()) ?? [];
  const isAlive = () => {
    try {
      process.kill(Number(pid), 0);
      return true;
    } catch {
      return false;
    }
  };
  t.teardown(async () => {
    if (isAlive()) process.kill(Number(pid), 'SIGKILL');
    await until(() => !isAlive() && processesOf(dataDir).length === 0, 'every process of it is gone');
  });
  return { dataDir, said, terminal, url, pid: Number(pid), isAlive };
}
