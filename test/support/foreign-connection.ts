import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Test } from 'tap';
import { bare } from './bare.ts';

const SCRIPT = `
const db = require(process.argv[1])(process.argv[2]);
db.exec(process.argv[3]);
process.stdout.write('held');
setInterval(() => {}, 60_000);
`;

/** A program that is none of the system's, and has a database open. */
export interface ForeignConnection {
  readonly pid: number;
  /** Ends it, and with it whatever it held. */
  readonly end: () => Promise<void>;
}

/** @param sql what it does before this resolves; whatever locks that takes it keeps */
export async function foreignConnection(t: Test, path: string, sql: string): Promise<ForeignConnection> {
  const library = createRequire(import.meta.url).resolve('better-sqlite3');
  const child: ChildProcess = spawn(...bare(process.execPath, ['-e', SCRIPT, library, path, sql]), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  t.teardown(end);
  await once(child.stdout!, 'data');
  return { pid: child.pid as number, end };
}
