import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';
import { bare } from './bare.ts';

/** What a person types to stop and to continue the output. */
export const CTRL_S = '\u0013';
export const CTRL_Q = '\u0011';

/** Why there can be no terminal here; false when there can. */
export const noTerminal =
  spawnSync('script', ['--version']).status === 0 && process.platform === 'linux'
    ? false
    : 'needs script of util-linux';

export interface Terminal {
  /** What has been shown until now. */
  readonly shown: () => string;
  /** Resolves when it has shown this. */
  readonly shows: (text: string | RegExp) => Promise<void>;
  readonly type: (keys: string) => void;
  /** As its window is closed: the kernel sends SIGHUP to what runs in it. */
  readonly close: () => Promise<void>;
  /** The exit code of the command. */
  readonly ended: Promise<number | null>;
}

/** Runs a command in a terminal of its own, which is closed at the test's end. */
export function openTerminal(
  t: Test,
  command: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Terminal {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const child: ChildProcess = spawn(...bare('script', ['-qefc', `exec ${quoted}`, '/dev/null']), {
    ...options,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout?.on('data', (chunk) => {
    shown += chunk;
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const close = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  t.teardown(close);
  return {
    shown: () => shown,
    async shows(text) {
      const isShown = () => (typeof text === 'string' ? shown.includes(text) : text.test(shown));
      while (!isShown()) {
        if (child.exitCode !== null) throw new Error(`ended without ${text}:\n${shown}`);
        await Promise.race([once(child.stdout!, 'data'), ended]);
      }
    },
    type: (keys) => void child.stdin?.write(keys),
    close,
    ended,
  };
}
