import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { createLog } from '../../src/log.ts';
import { Child } from '../../src/supervisor/child.ts';
import { type Clock, processClock } from '../../src/supervisor/clock.ts';
import { makeDeployment } from './deployment.ts';
import { temporaryFolder } from './system.ts';

const LOG = createLog('test', 'silent', 'json');

/** A real process that runs this script, as the primary has it. */
export function childOf(t: Test, script: string, clock: Clock = processClock) {
  const path = join(temporaryFolder(t), 'child.cjs');
  writeFileSync(path, `process.on('disconnect', () => process.exit());\n${script}`);
  const forked = fork(path, { execArgv: [] });
  t.teardown(() => forked.kill('SIGKILL'));
  const child = new Child({
    name: 'worker-1',
    deployment: makeDeployment(),
    spawn: () => forked,
    startTimeoutMs: 30_000,
    drainBy: 'message',
    silenceTimeoutMs: 0,
    log: LOG,
    clock,
  });
  return { child, forked };
}
