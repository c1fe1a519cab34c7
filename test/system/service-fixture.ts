import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { bare } from '../support/bare.ts';
import { processesOf, until } from '../support/system.ts';

export const BIN = new URL('../../src/bin.js', import.meta.url).pathname;

/** Prints each datagram that comes to a Unix socket, on one line. */
export const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(s.recv(4096).decode().strip().replace('\\n', '|'), flush=True)
`;

export function run(t: Test, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { PATH, HOME } = process.env;
  const child: ChildProcess = spawn(...bare(program, args), {
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => lines.push(line));
  return { child, lines };
}

/** Ends a system that no RunningSystem stands for. */
export function endWithTest(t: Test, dataDir: string): void {
  t.teardown(async () => {
    try {
      process.kill(JSON.parse(readFileSync(join(dataDir, 'run', 'lock.json'), 'utf8')).pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    await until(() => processesOf(dataDir).length === 0, 'all are gone');
  });
}

/** A socket of a service manager. @returns its path and the messages that have come to it, oldest first */
export async function notifySocket(t: Test, folder: string) {
  const socket = join(folder, 'notify');
  const { lines } = run(t, 'python3', ['-c', RECEIVER, socket]);
  await until(() => lines.includes('bound'), 'the socket is there');
  const told = (what: RegExp, from = 0) =>
    until(() => lines.slice(from).some((line) => what.test(line)), `${what}`);
  return { socket, lines, told };
}
