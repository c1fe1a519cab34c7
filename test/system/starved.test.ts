import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { RunningSystem } from '../../src/testing/running-system.ts';
import { startPair } from '../support/system.ts';
import { SETTINGS, serves } from './starved-fixture.ts';

const CHILDREN = ['worker-1', 'worker-2', 'writer', 'tally', 'litestream'];

/** Lets a process open so many files and no more. */
function limitFiles(pid: number, count: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`]);
}

async function killAll(system: RunningSystem, from: number): Promise<void> {
  for (const name of CHILDREN) process.kill(system.pidOf(name), 'SIGKILL');
  await Promise.all(
    // The spare is there already for a worker.
    CHILDREN.slice(2).map((name) =>
      system.waitFor(({ msg }) => msg.startsWith(`${name} died: could not be started: `), from),
    ),
  );
}

t.test('a primary that can open no file lives on, and brings everything back when it can', async (t) => {
  const system = await startPair(t, SETTINGS);
  await system.waitFor(({ msg }) => msg === 'tally ready');
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${system.pid}/limits`, 'utf8'))!;
  limitFiles(system.pid, 1);
  await killAll(system, system.lines.length);
  limitFiles(system.pid, Number(soft));
  await serves(t, system);
});
