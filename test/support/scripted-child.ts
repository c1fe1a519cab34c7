import { type ForkOptions, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { createLog } from '../../src/platform/log.ts';
import { Child, type ChildOptions } from '../../src/supervisor/child.ts';
import { type Clock, processClock } from '../../src/supervisor/clock.ts';
import { makeDeployment } from './deployment.ts';
import { temporaryFolder } from './system.ts';

const LOG = createLog('test', 'silent', 'json');

/** By which a child can be asked for its stack, as src/supervisor/fork.ts has it. */
export const INSPECTABLE: ForkOptions = {
  execArgv: ['--inspect-publish-uid=stderr', '--inspect-port=0'],
  stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
};

/** @returns a real process that runs this script, whose first line is the second one of its file */
export function forkScript(t: Test, script: string, options: ForkOptions = { execArgv: [] }) {
  const path = join(temporaryFolder(t), 'child.cjs');
  writeFileSync(path, `process.on('disconnect', () => process.exit());\n${script}`);
  const forked = fork(path, options);
  t.teardown(() => forked.kill('SIGKILL'));
  forked.stderr?.setEncoding('utf8');
  return { forked, path };
}

/** A real process that runs this script, as the primary has it. */
export function childOf(
  t: Test,
  script: string,
  clock: Clock = processClock,
  { fork, ...options }: { fork?: ForkOptions } & Partial<ChildOptions> = {},
) {
  const { forked, path } = forkScript(t, script, fork);
  const child = new Child({
    name: 'worker-1',
    deployment: makeDeployment(),
    spawn: () => forked,
    startTimeoutMs: 30_000,
    drainBy: 'message',
    silenceTimeoutMs: 0,
    log: LOG,
    clock,
    ...options,
  });
  return { child, forked, path };
}
