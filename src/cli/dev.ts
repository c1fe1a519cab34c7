import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { loadConfig } from '../config/config.ts';
import type { Failure } from '../platform/errors.ts';
import type { Invocation } from '../supervisor/release/invocation.ts';
import type { ReloadOutcome } from '../supervisor/release/outcome.ts';
import { asWrapper, watchWrapper } from '../supervisor/wrapper.ts';
import { askPrimary } from './control-client.ts';
import { watchProject } from './project-watch.ts';
import { describeOutcome } from './reload.ts';

const USAGE = `Usage: ninelives dev [options of start]

  Starts the system with a log as text, and reloads it when a file of the project changes. A change that cannot run is told,
  and what ran goes on.`;

/**
 * Runs the system for the author of an app.
 * @param args what follows the command's name; given to start
 */
export async function dev(args: readonly string[], invocation: Invocation): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(USAGE);
    return;
  }
  const { root, installation, app, program, environment } = invocation;
  const { DATA_DIR } = loadConfig(process.env, installation).config;
  const named = app === undefined ? [] : ['--app', join(root, app)];
  const child = spawn(process.execPath, [program, 'start', '--release', root, ...named, ...args], {
    stdio: 'inherit',
    env: { LOG_FORMAT: 'text', ...environment, ...asWrapper() },
  });
  // A terminal's Ctrl-C reaches both processes; the system ignores a second signal.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  watchWrapper(process.env, () => child.kill('SIGTERM'));
  const ended = new Promise<number>((end) => {
    child.once('error', (error) => {
      console.error(`ninelives: ${error.message}`);
      end(70);
    });
    child.once('exit', (code) => end(code ?? 70));
  });
  const stop = await watchProject(root, DATA_DIR, () => reload(DATA_DIR));
  process.exitCode = await ended;
  stop();
}

async function reload(dataDir: string): Promise<void> {
  try {
    const outcome = (await askPrimary(dataDir, ['reload', 'yes', ''])) as ReloadOutcome;
    if (outcome.from !== outcome.to) console.error(`ninelives: ${describeOutcome(outcome)}`);
  } catch (error) {
    console.error(`ninelives: ${(error as Failure).message}`);
  }
}
