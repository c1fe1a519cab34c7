import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { cleanEnv } from '../../src/testing/running-system.ts';
import { APP_ARGUMENTS } from '../small-app/arguments.ts';
import { bare } from '../support/bare.ts';
import { start } from '../support/system.ts';

export const ENTRY = new URL('../../src/bin.js', import.meta.url).pathname;

/** The exit code is that of the command, not that of `head`. */
const SCRIPT = `"$0" "$@" | head -n 1; exit "\${PIPESTATUS[0]}"`;

async function intoHead(args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(...bare('bash', ['-c', SCRIPT, process.execPath, ENTRY, ...args, ...APP_ARGUMENTS]), {
    env: { ...cleanEnv(), LITESTREAM_BIN: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [exitCode, stdout, stderr] = await Promise.all([code, text(child.stdout), text(child.stderr)]);
  return { exitCode, lines: stdout.trimEnd().split('\n').length, stderr };
}

/** Holds that commands which only show something end when their reader has gone. */
export async function endQuietly(t: Test, commands: readonly (readonly string[])[]): Promise<void> {
  const system = await start(t);
  const env = { DATA_DIR: system.dataDir, PORT: '0' };
  for (const args of commands) {
    const ended = new AbortController();
    const shown = intoHead(args, env).finally(() => ended.abort());
    // It notices that its reader has gone when it has something to say.
    while (args[0] === 'events' && !ended.signal.aborted) await system.killChild('worker-1');
    t.strictSame(await shown, { exitCode: 141, lines: 1, stderr: '' }, args.join(' '));
  }
}
